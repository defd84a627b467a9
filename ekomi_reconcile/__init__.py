"""Terraform for eKomi review invitations: accounts and rules as YAML files, plan and apply."""

__version__ = "0.1.0"
