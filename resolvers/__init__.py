"""How a question is answered: operation -> Plan -> bytes + Disclosure. No HTTP, SQL, Casbin."""
