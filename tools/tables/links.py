"""Links from pages to records."""


def link(name: str, root: str = "", text: str = "") -> str:
    """Return a link to the record `name` from a page; `root` leads from the page's folder to the project's."""
    return f"[{text or name}]({root}records/{name}.json)"
