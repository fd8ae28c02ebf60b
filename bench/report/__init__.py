"""Numbers to text and pictures: tables, page, README section, charts and templates.

May import `analysis`, `records`, `code_size` and the root modules (`kernel`, `stats`, `atomic`, `formatting`); what
shows digits also `task`; never `runner` or `probes`.
Begin with `page.py`; `page_records.py` says which records a page is made of.
"""
