"""HTML from the templates of a package: values are escaped, and a name that has no value is an error."""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


def html_templates(package: str, **filters: Callable[..., object]) -> Environment:
    """Return the templates in the folder `templates` of `package`; lines that hold statements alone leave no trace.

    Args:
        package: dotted name.
        filters: how templates write values, by name.
    """
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters)
    return made
