"""Templates of the HTML pages, which share a layout."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from autosr_lib.domain.wording import plural


@cache
def page_template(name: str) -> Template:
    """Return a template from the folder `templates`; it escapes values, so that they are never markup."""
    environment = Environment(
        loader=PackageLoader("autosr_assets.views"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals["plural"] = plural
    return environment.get_template(name)
