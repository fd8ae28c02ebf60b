"""Numbers to text and pictures: tables, page, README section, charts and templates.

May import `analysis`, `records` and `code_size`; what shows digits also `task`; never `runner` or `probes`.
Begin with `page.py`; `selection.py` says which records a page is made of.
"""
