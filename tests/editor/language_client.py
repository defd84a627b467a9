"""A client of a language server: JSON-RPC over stdio, as an editor speaks it; every wait is bounded."""

import json
import os
import selectors
import subprocess
import time

_WAIT = 30.0
"""Seconds after which an answer is given up."""

_CAPABILITIES = {
    "workspace": {"configuration": True},
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
        "hover": {"contentFormat": ["markdown"]},
        "publishDiagnostics": {},
    },
}


class LanguageClient:
    """One server process and the documents that are open in it; ``settings`` are the editor's, by section."""

    def __init__(self, command, root, settings):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._settings = settings
        self._buffer = b""
        self._number = 0
        self._answers = {}
        self._published = {}
        self._watch = selectors.DefaultSelector()
        self._watch.register(self._process.stdout, selectors.EVENT_READ)
        self.request(
            "initialize", {"processId": None, "rootUri": root.as_uri(), "capabilities": _CAPABILITIES}
        )
        self._notify("initialized", {})

    def close(self):
        """End the server, as an editor does."""
        self.request("shutdown", None)
        self._notify("exit", None)
        with self._watch, self._process:
            self._process.wait(_WAIT)

    def diagnostics(self, folder, text):
        """What the server finds wrong with a document that would stand in the folder."""
        uri = self._open(folder, text)
        return self._until(lambda: self._published.get(uri))

    def completion(self, folder, text):
        """What is offered at the ``|`` in the text: label to item."""
        found = self.request("textDocument/completion", self._at(folder, text))
        return {each["label"]: each for each in found["items"]}

    def hover(self, folder, text):
        """The explanation of what stands at the ``|`` in the text."""
        found = self.request("textDocument/hover", self._at(folder, text))
        return found["contents"]["value"] if found else ""

    def request(self, method, parameters):
        """Ask, and wait for the answer."""
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": parameters})
        answer = self._until(lambda: self._answers.pop(number, None))
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _at(self, folder, text):
        before, _, after = text.partition("|")
        uri = self._open(folder, before + after)
        line, column = before.count("\n"), len(before.rpartition("\n")[2])
        return {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}

    def _open(self, folder, text):
        # A new address for every text: what is said of it is never what was said of another.
        self._number += 1
        uri = (folder / f"document-{self._number}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def _notify(self, method, parameters):
        self._send({"method": method, "params": parameters})

    def _send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _until(self, found):
        """Read messages until ``found`` gives something."""
        deadline = time.monotonic() + _WAIT
        while (value := found()) is None:
            self._read(deadline)
        return value

    def _read(self, deadline):
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        size = int(head.rpartition(b":")[2]) if found else 0
        if found and len(rest) >= size:
            self._buffer = rest[size:]
            self._receive(json.loads(rest[:size]))
            return
        assert self._watch.select(max(0.0, deadline - time.monotonic())), "the server does not answer"
        chunk = os.read(self._process.stdout.fileno(), 65536)
        assert chunk, "the server has ended"
        self._buffer += chunk

    def _receive(self, message):
        method = message.get("method")
        if method is None:
            self._answers[message["id"]] = message
        elif method == "textDocument/publishDiagnostics":
            self._published[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message:
            wanted = message["params"].get("items", ()) if message["params"] else ()
            result = [self._settings.get(each["section"]) for each in wanted] or None
            self._send({"id": message["id"], "result": result})
