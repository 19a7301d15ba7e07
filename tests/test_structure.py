"""The house rules that a machine can check: who imports whom, what is public, what loads late."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgan_toolkit
import reference_trainer

ROOT = Path(__file__).resolve().parents[1]
LAYERS = (
    ("pgan_toolkit", "pgan_toolkit.errors", "pgan_toolkit.arrays"),
    ("pgan_toolkit.randomness", "pgan_toolkit.progress", "pgan_toolkit.digests"),
    ("pgan_toolkit.environment", "pgan_toolkit.devices"),
    ("pgan_toolkit.imaging",),
    ("pgan_toolkit.storage",),
    ("pgan_toolkit.pages",),
    ("pgan_toolkit.engines",),
    ("pgan_toolkit.runs",),
    ("pgan_toolkit.restoration",),
    ("pgan_toolkit.metrics",),
    ("pgan_toolkit.celebahq",),
    ("pgan_toolkit.evaluation",),
    ("pgan_toolkit.recipes",),
    ("reference_trainer",),
    ("pgan_cli",),
)
"""From the bottom up. A module may import from its own layer's package and from those below."""

FOLDERS = {
    "pgan_toolkit": "pgan_toolkit",
    "pgan_cli": "cli",
    "reference_trainer": "reference_trainer",
}
PUBLIC = ("pgan_toolkit", "reference_trainer")
ONLY_IN_IMAGING = ("PIL", "cv2")
WITHOUT_TORCH = tuple(
    f"pgan_toolkit.{name}" for name in ("imaging", "storage", "pages", "celebahq", "recipes")
)


def _modules() -> Iterator[tuple[str, Path]]:
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _layer(module: str) -> int | None:
    """Index of the layer of the longest package name that the module lies in."""
    best, found = "", None
    for index, names in enumerate(LAYERS):
        for name in names:
            inside = module == name or module.startswith(f"{name}.")
            if inside and len(name) > len(best):
                best, found = name, index
    return found


def _upward(module: str, imported: str) -> bool:
    if imported == "pgan_toolkit.__version__":
        return False
    mine, other = _layer(module), _layer(imported)
    return mine is not None and other is not None and other > mine


def test_imports_run_downward() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, path in _modules()
        for imported in _imports(path)
        if _upward(module, imported)
    ]
    assert wrong == []


def test_the_check_of_directions_sees_an_upward_import() -> None:
    assert _upward("pgan_toolkit.imaging.codec", "pgan_toolkit.storage.open_source")
    assert _upward("pgan_toolkit.celebahq.build", "pgan_cli.main")
    assert not _upward("pgan_toolkit.celebahq.build", "pgan_toolkit.imaging.decode_image")


def test_modules_do_not_import_each_other_in_circles() -> None:
    names = dict(_modules())
    graph = {
        module: {
            known
            for imported in _imports(path)
            for known in (imported, imported.rpartition(".")[0])
            if known in names and not (known != imported and imported in names)
        }
        for module, path in names.items()
    }
    _require_no_circle(graph)


def _require_no_circle(graph: dict[str, set[str]]) -> None:
    finished: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in finished:
            for imported in graph[module] - {module}:
                visit(imported, (*trail, module))
            finished.add(module)

    for module in graph:
        visit(module, ())


def test_a_circle_is_found() -> None:
    with pytest.raises(AssertionError, match="a -> b -> a"):
        _require_no_circle({"a": {"b"}, "b": {"a"}})


def test_only_imaging_imports_the_picture_libraries() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, path in _modules()
        for imported in _imports(path)
        if imported.split(".")[0] in ONLY_IN_IMAGING
        and not module.startswith("pgan_toolkit.imaging")
        # doctor's facts are versions and decoders of these very libraries
        if module != "pgan_toolkit.environment"
    ]
    assert wrong == []


@pytest.mark.parametrize("package", WITHOUT_TORCH)
def test_packages_that_load_no_torch(package: str) -> None:
    assert "torch" not in _loaded(f"import {package}")


def test_the_root_and_the_command_group_load_nothing_heavy() -> None:
    loaded = _loaded("import pgan_toolkit, pgan_cli.main")
    assert not {"torch", "cv2", "numpy", "scipy", "PIL", "dlib", "h5py"} & loaded


def test_the_groups_help_loads_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['pgan-toolkit', '--help']; import pgan_cli.main as m\n"
    loaded = _loaded(f"{code}try: m.main()\nexcept SystemExit as stop: assert stop.code == 0")
    assert not {"torch", "cv2", "numpy", "scipy", "PIL", "dlib", "h5py"} & loaded


def _loaded(code: str) -> set[str]:
    script = f"{code}\nimport sys; print('LOADED', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("LOADED ")[2].split())


def _public_packages() -> list[str]:
    packages = (pgan_toolkit, reference_trainer)
    found = [
        info.name
        for package in packages
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return [*(package.__name__ for package in packages), *found]


@pytest.mark.parametrize("name", _public_packages())
def test_every_module_declares_its_public_names_and_documents_them(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert list(module.__all__) == sorted(module.__all__, key=_all_order)
    for public in module.__all__:
        value = getattr(module, public)
        if callable(value) and getattr(value, "__module__", "").startswith(PUBLIC):
            assert value.__doc__, f"{name}.{public} has no docstring"


def _all_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as the linter sorts them."""
    if name.isupper():
        return (0, name)
    return (1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize(
    "folder", ["pgan_toolkit", "reference_trainer", "cli", "tests", "benchmarks"]
)
def test_no_file_passes_400_lines(folder: str) -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*.py")
        if len(path.read_text().splitlines()) > 400
    ]
    assert long == []


def test_no_function_passes_60_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for _, path in _modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and _body_lines(node) > 60
    ]
    assert long == []


def _body_lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = first.end_lineno if documented else first.lineno - 1
    return (node.end_lineno or 0) - (start or 0)


BAD_CODE = '''"""A bad file."""
def tangled(a, b, c, d, e, f, g, h):
    """Take too much and branch too often."""
''' + "".join(f"    if a == {n}:\n        b = {n}\n" for n in range(60))


def test_the_linter_refuses_a_bad_file() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename",
         str(ROOT / "pgan_toolkit" / "bad.py"), "-"],
        input=BAD_CODE, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    for rule in ("C901", "PLR0912", "PLR0913", "PLR0915"):
        assert rule in done.stdout
