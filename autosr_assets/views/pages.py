"""The pages that are written as one HTML file each: their templates, which share one look."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


@cache
def page_template(name: str) -> Template:
    """Return a template of the folder `templates`; what is put into it is text, never markup."""
    environment = Environment(
        loader=PackageLoader("autosr_assets.views"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(name)
