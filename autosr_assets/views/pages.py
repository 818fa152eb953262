"""The templates of the pages that are written as one HTML file each; they share one layout."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


@cache
def page_template(name: str) -> Template:
    """Return a template of the folder `templates`; values are inserted as text, never as markup."""
    environment = Environment(
        loader=PackageLoader("autosr_assets.views"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(name)
