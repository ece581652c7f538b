"""tenants.toml: where it is looked for, what it merges and expands, what it refuses."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from stager.errors import StagerError, TenantUnavailable, UsageError
from stager.tenant.registry import Registry

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a tenants.toml and say where."""

    def to(text: str) -> Path:
        path = tmp_path / "written.toml"
        path.write_text(text)
        return path

    return to


def load(path: Path, **environ: str) -> Registry:
    return Registry.load(path, environ, Path("/"))


def entry(folder: Path, slug: str) -> Path:
    """A tenants.toml in the folder that registers one tenant."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tenants.toml"
    path.write_text(f'[tenants.{slug}]\ndsn = "dbname={slug}"\n')
    return path


def test_the_first_of_the_search_order_is_read(tmp_path: Path) -> None:
    """A path given, STAGER_TENANTS, the working folder, the config folder: in this order, only the first."""
    given = entry(tmp_path / "given", "from-option")
    named = entry(tmp_path / "named", "from-variable")
    cwd = entry(tmp_path / "cwd", "from-folder").parent
    config = entry(tmp_path / "config" / "stager", "from-config").parents[1]
    environ = {"XDG_CONFIG_HOME": str(config)}
    everything = {**environ, "STAGER_TENANTS": str(named)}
    assert Registry.load(given, everything, cwd).slugs() == ("from-option",)
    assert Registry.load(None, everything, cwd).slugs() == ("from-variable",)
    assert Registry.load(None, environ, cwd).slugs() == ("from-folder",)
    assert Registry.load(None, environ, tmp_path).slugs() == ("from-config",)


def test_without_a_file_there_is_no_tenant(tmp_path: Path) -> None:
    """No file at all is an empty registry, and asking it for a tenant says where it looked."""
    registry = Registry.load(None, {"XDG_CONFIG_HOME": str(tmp_path / "config")}, tmp_path)
    assert registry.slugs() == ()
    with pytest.raises(TenantUnavailable, match="maple-surgery is not registered") as caught:
        registry.tenant("maple-surgery")
    assert str(tmp_path / "tenants.toml") in caught.value.hint
    assert str(tmp_path / "config" / "stager" / "tenants.toml") in caught.value.hint
    assert caught.value.exit_code == 5


def test_a_named_file_that_is_not_there_is_not_passed_over(tmp_path: Path) -> None:
    """A file named outright must exist, even where the next place has one."""
    entry(tmp_path, "from-folder")
    with pytest.raises(TenantUnavailable, match=r"nowhere\.toml"):
        Registry.load(Path("nowhere.toml"), {}, tmp_path)
    with pytest.raises(TenantUnavailable, match=r"nowhere\.toml"):
        Registry.load(None, {"STAGER_TENANTS": "nowhere.toml"}, tmp_path)


def test_an_unknown_tenant_lists_what_is_registered(write: Write) -> None:
    """The hint names the registered slugs, the file, and the nearest."""
    registry = load(write('[tenants.maple-surgery]\ndsn = "dbname=m"\n[tenants.oak]\ndsn = "dbname=o"'))
    with pytest.raises(TenantUnavailable) as caught:
        registry.tenant("maple_surgery")
    assert "maple-surgery, oak" in caught.value.hint
    assert "did you mean 'maple-surgery'" in caught.value.hint


def test_defaults_are_merged_and_the_slug_expands(write: Write) -> None:
    """A tenant takes what it does not say from [defaults]; {slug} is its own slug."""
    registry = load(
        write(
            '[defaults]\ndsn = "postgresql:///{slug}"\nroles = ["PHARMACIST"]\ntimezone = "Europe/Dublin"\n'
            '[tenants.maple-surgery]\n[tenants.oak]\ndsn = "host=/run dbname=x_{slug}"\nsynthetic = true\n'
        )
    )
    maple, oak = registry.tenant("maple-surgery"), registry.tenant("oak")
    assert conninfo_to_dict(maple.dsn) == {"dbname": "maple-surgery"}
    assert conninfo_to_dict(oak.dsn) == {"host": "/run", "dbname": "x_oak"}
    assert (maple.profile, maple.timezone, maple.roles) == ("clinic", "Europe/Dublin", ("PHARMACIST",))
    assert (maple.synthetic, oak.synthetic) == (False, True)


@pytest.mark.parametrize("password", ["a b", "it's", "back\\slash", "p@ss:w/rd?x=1#%41", "{slug}", "${HOME}"])
@pytest.mark.parametrize(
    "dsn", ["postgresql://${U}:${PW}@db.example/{slug}", "host=db.example user=${U} password='${PW}'"]
)
def test_a_variable_may_hold_any_character(write: Write, dsn: str, password: str) -> None:
    """A password from the environment arrives as it is, in a URI and in key=value form."""
    tenant = load(write(f'[tenants.oak]\ndsn = "{dsn}"'), U="me", PW=password).tenant("oak")
    options = conninfo_to_dict(tenant.dsn)
    assert (options["user"], options["password"], options["host"]) == ("me", password, "db.example")


def test_a_whole_dsn_may_stand_in_a_variable(write: Write) -> None:
    """`dsn = "${DATABASE_URL}"` is what the variable holds."""
    registry = load(write('[tenants.oak]\ndsn = "${DATABASE_URL}"'), DATABASE_URL="postgresql://h/d")
    assert conninfo_to_dict(registry.tenant("oak").dsn) == {"host": "h", "dbname": "d"}


def test_an_unset_variable_is_named_and_hurts_no_other_tenant(write: Write) -> None:
    """Only the tenant that needs the variable is unavailable."""
    registry = load(
        write('[tenants.oak]\ndsn = "dbname=o password=${OAK_PW}"\n[tenants.elm]\ndsn = "dbname=e"')
    )
    with pytest.raises(TenantUnavailable, match="OAK_PW is not set"):
        registry.tenant("oak")
    assert registry.tenant("elm").slug == "elm"


def test_a_profiles_path_is_beside_the_file(write: Write, tmp_path: Path) -> None:
    """A relative path of a profile does not depend on the working folder; a bare name is a built-in."""
    registry = load(write('[defaults]\ndsn = "dbname=x"\n[tenants.oak]\nprofile = "profiles/{slug}.toml"'))
    assert registry.tenant("oak").profile == str(tmp_path / "profiles" / "oak.toml")


def test_an_embedded_tenant_knows_its_folder(write: Write, tmp_path: Path) -> None:
    """The data folder comes from the environment that was handed in."""
    registry = load(write('[tenants.demo]\ndsn = "embedded"'), XDG_DATA_HOME=str(tmp_path))
    folder = registry.tenant("demo").embedded_folder
    assert folder is not None
    assert folder.parts[-3:] == ("stager", "postgres", "demo")


REFUSED = [
    ('[tennants.oak]\ndsn = "x"', "unknown key 'tennants'", "tenants"),
    ('[tenants.oak]\nprofil = "x"', "unknown key 'profil'", "profile"),
    ('[defaults]\ndns = "x"', "unknown key 'dns'", "dsn"),
    ('[tenants."Oak Practice"]\ndsn = "dbname=x"', "not a DNS label", "hyphen"),
    ('[tenants."-oak"]\ndsn = "dbname=x"', "not a DNS label", ""),
    (f'[tenants.{"a" * 64}]\ndsn = "dbname=x"', "not a DNS label", "63"),
    ("[tenants.oak]", "dsn is missing", ""),
    ("[tenants.oak]\ndsn = 5", "dsn must be text", ""),
    ('[tenants.oak]\ndsn = "dbname=x"\nroles = "A"', "roles must be a list", ""),
    ('[tenants.oak]\ndsn = "dbname=x"\nsynthetic = "yes"', "true or false", ""),
    ('[tenants.oak]\ndsn = "dbname=x"\ntls = "verify_full"', "not an sslmode", "verify-full"),
    ('[tenants.oak]\ndsn = "dbname=x"\ntimezone = "Europe/Lundon"', "not known", "Europe/London"),
    ("tenants = 3", "must be a table", ""),
]


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED)
def test_what_cannot_be_is_refused(write: Write, text: str, message: str, hint: str) -> None:
    """A slip in tenants.toml is refused with what was written and the nearest that is known."""
    with pytest.raises(UsageError, match=message) as caught:
        load(write(text)).tenant("oak")
    assert hint in caught.value.hint


SECRET = "hunter2-Zq9"

LEAKS = [
    f'[tenants.oak]\ndsn = "password={SECRET} nonsense"',
    f'[tenants.oak]\ndsn = "postgresql://u:{SECRET}@h:port:1/%zz"',
    f'[tenants.oak]\ndsn = "password={SECRET}',
    f'[tenants.oak]\ndsn = "dbname=x password={SECRET}"\ntls = "none"',
    f'[tenants.oak]\ndsn = "dbname=x password={SECRET} host=${{UNSET}}"',
]


@pytest.mark.parametrize("text", LEAKS)
def test_no_error_shows_the_dsn(write: Write, text: str) -> None:
    """Whatever is wrong with an entry, its password is in no message, hint or traceback."""
    with pytest.raises(StagerError) as caught:
        load(write(text)).tenant("oak")
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert SECRET not in shown
    assert caught.value.__context__ is None or SECRET not in repr(caught.value.__context__)


def test_no_repr_shows_the_dsn(write: Write) -> None:
    """The registry and its tenants can be logged."""
    registry = load(write(f'[tenants.oak]\ndsn = "dbname=x password={SECRET}"'), OTHER=SECRET)
    assert SECRET not in repr(registry) + repr(registry.tenant("oak")) + str(registry.tenant("oak"))
