
(() => {
  "use strict";

  const announcer = document.getElementById("announcer");
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  const keyOf = (cell, isNumber) => {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    return isNumber ? (text === "" ? null : Number(text)) : text;
  };

  const sortBy = (table, head, column) => {
    const isNumber = head.dataset.kind !== "text";
    const first = isNumber && head.dataset.kind !== "key" ? "descending" : "ascending";
    const other = isNumber ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return sign * (isNumber ? a.key - b.key : collator.compare(a.key, b.key));
    };
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, key: keyOf(row.cells[column], isNumber) }));
    body.append(...rows.sort(compare).map((each) => each.row));
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    announcer.textContent = `Sorted by ${head.textContent.trim()}, ${order}`;
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      if (head.dataset.kind === "none") return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, head, column));
      head.append(button);
    });
  }

  for (const filter of document.querySelectorAll(".filter")) {
    const rows = Array.from(document.getElementById(filter.dataset.table).tBodies[0].rows);
    const texts = rows.map((row) => row.textContent.normalize("NFKC").toLowerCase());
    const find = filter.querySelector("input");
    const state = filter.querySelector("select");
    const output = filter.querySelector("output");
    const all = document.getElementById(filter.dataset.table).closest(".few")?.querySelector(".all input");
    const apply = () => {
      const words = find.value.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
      if (all && (words.length || state.value)) all.checked = true;
      let shown = 0;
      rows.forEach((row, index) => {
        const fits = words.every((word) => texts[index].includes(word));
        row.hidden = !(fits && (state.value === "" || row.dataset.state === state.value));
        shown += !row.hidden;
      });
      output.textContent = all && !all.checked ? "" : shown === rows.length ? `${rows.length} shown` : `${shown} of ${rows.length} shown`;
    };
    find.addEventListener("input", apply);
    state.addEventListener("change", apply);
    all?.addEventListener("change", apply);
    filter.hidden = false;
    apply();
  }

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const fold = target?.closest("details");
    if (!fold || fold.open) return;
    fold.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
