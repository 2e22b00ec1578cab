"""Where data comes from: `contract.py` first, then a folder for each way to a department."""
