from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chemnet.config import load_config
from chemnet.config.whole_file import with_checksum
from chemnet.errors import ConfigError, ModelError
from chemnet.export.archive import unpacked
from chemnet.export.bundle import read_description, write_bundle
from chemnet.export.verify import verify_bundle
from chemnet.verbs.export import Export
from chemnet.verbs.verify import Verify


def test_a_bundle_verifies_on_every_backend_that_is_here(bundle: Path, c_compiler: str) -> None:
    checks = {check.what: check for check in verify_bundle(bundle)}
    assert checks["files"].verdict == checks["C"].verdict == "agrees"
    assert checks["Fortran"].verdict == ("agrees" if shutil.which("gfortran") else "not here")
    assert checks["C"].step_dex is not None
    assert checks["C"].step_dex < 1e-4


def test_cells_that_were_integrated_are_told_apart(implicit_bundle: Path, c_compiler: str) -> None:
    checks = {check.what: check for check in verify_bundle(implicit_bundle)}
    assert checks["C"].verdict == "agrees"
    assert checks["Fortran"].verdict == ("agrees" if shutil.which("gfortran") else "not here")
    assert re.match(r"[1-9]\d* cells integrated: ", checks["C"].remark)
    described = read_description(implicit_bundle)["implicit_step"]
    assert described["solver_error"] == 0.02
    assert described["update_tolerance"] == 0.05


def test_a_changed_file_is_named_and_nothing_is_built(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    with (copy / "src/trust.c").open("a") as source:
        source.write("\n")
    with pytest.raises(ModelError, match=r"src/trust\.c"):
        Verify(load_config()).run(copy)


@pytest.mark.parametrize(
    "file", ["src/trust.c", "src/planted.c", "examples/check_reference.c", "src/trust.h"]
)
def test_code_that_a_bundle_brings_is_not_run(
    bundle: Path, tmp_path: Path, c_compiler: str, file: str
) -> None:
    copy, mark = shutil.copytree(bundle, tmp_path / "copy"), tmp_path / "mark"
    with (copy / file).open("a") as source:
        source.write(
            "\n#include <stdio.h>\n__attribute__((constructor)) static void planted(void)"
            f'{{ FILE *f = fopen("{mark}", "w"); if (f) fclose(f); }}\n'
        )
    # the digests stand in the bundle: whoever changes one file changes the other
    description = copy / "surrogate.toml"
    described = read_description(copy)
    if file in described["checksums"]:
        new = hashlib.sha256((copy / file).read_bytes()).hexdigest()
        changed = description.read_text().replace(described["checksums"][file], new)
        description.write_text(with_checksum(changed))
    checks = {check.what: check for check in verify_bundle(copy)}
    assert not mark.exists()
    assert checks["files"].verdict == "agrees"
    assert checks["C"].verdict == checks["Fortran"].verdict == "not built"
    assert file in checks["C"].remark


def test_the_description_says_what_a_caller_needs(bundle: Path, surrogate: Any) -> None:
    described = read_description(bundle)
    assert described["species"] == list(surrogate.species)
    assert described["units"]["time"] == "yr"
    assert described["domain"]["dt_usual"] == surrogate.domain.dt_usual


def test_a_folder_with_other_files_is_left_alone(surrogate: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ModelError, match="no bundle"):
        write_bundle(surrogate, tmp_path)


def test_what_is_not_named_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"export\.surrogate"):
        Export(load_config()).run()
    with pytest.raises(ConfigError, match=r"export\.output"):
        Export(load_config()).run("collapse")
    with pytest.raises(ConfigError, match="no bundle is named"):
        Verify(load_config()).run()
    with pytest.raises(ModelError, match="no exported surrogate"):
        Verify(load_config()).run("nowhere")


def test_embedded_weights_need_no_file(surrogate: Any, tmp_path: Path, c_compiler: str) -> None:
    folder = write_bundle(surrogate, tmp_path / "embedded", embed=True)
    program = tmp_path / "main.c"
    program.write_text(
        '#include "chemnet_surrogate.h"\n#include <stdint.h>\n'
        "extern const uint64_t chemnet_weights[];\nextern const size_t chemnet_weights_size;\n"
        "int main(void) {\n    chemnet_surrogate *s;\n"
        "    int code = chemnet_open_memory(chemnet_weights, chemnet_weights_size, &s);\n"
        "    chemnet_close(s);\n    return code;\n}\n"
    )
    sources = [str(path) for path in sorted((folder / "src").glob("*.c"))]
    command = [
        c_compiler,
        "-std=c99",
        "-O0",
        f"-I{folder}",
        str(program),
        *sources,
        "-lm",
        "-o",
        str(tmp_path / "main"),
    ]
    subprocess.run(command, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


def build_and_run(
    compiler: str, bundle: Path, program: Path, source: Path, *flags: str, links: str = ""
) -> str:
    """Build a program with the library and return what it prints, called with weights and reference cells."""
    sources = [str(path) for path in sorted((bundle / "src").glob("*.c"))]
    command = [compiler, "-std=c99", "-O1", "-g", *flags, f"-I{bundle}", *sources, str(source)]
    built = subprocess.run(
        [*command, *links.split(), "-lm", "-o", str(program)], capture_output=True, text=True, check=False
    )
    if built.returncode and re.search("cannot find|cblas.h", built.stderr):
        pytest.skip(f"this compiler has no {' '.join(flags)}")
    assert built.returncode == 0, built.stderr
    call = [str(program), str(bundle / "weights.bin"), str(bundle / "reference.bin")]
    ran = subprocess.run(call, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_sanitizers_are_silent(any_bundle: Path, c_compiler: str, tmp_path: Path) -> None:
    flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    check = any_bundle / "examples/check_reference.c"
    assert "cells" in build_and_run(c_compiler, any_bundle, tmp_path / "checked", check, *flags)


TWO_THREADS = Path(__file__).parents[2] / "data/two_threads.c"


def test_threads_share_a_surrogate_without_a_race(
    implicit_bundle: Path, c_compiler: str, tmp_path: Path
) -> None:
    flags = ("-fsanitize=thread", "-pthread")
    assert build_and_run(c_compiler, implicit_bundle, tmp_path / "threads", TWO_THREADS, *flags) == "alike\n"


def test_a_blas_gives_the_same(any_bundle: Path, c_compiler: str, tmp_path: Path) -> None:
    check = any_bundle / "examples/check_reference.c"
    folders = [str(path) for path in Path("/usr/include").glob("**/cblas.h")]
    flags = ("-DCHEMNET_BLAS", *(f"-I{Path(folder).parent}" for folder in folders))
    assert "cells" in build_and_run(
        c_compiler, any_bundle, tmp_path / "blas", check, *flags, links="-lopenblas"
    )


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed (apt-get install cmake)")
def test_cmake_builds_it_and_its_own_tests_pass(bundle: Path, c_compiler: str, tmp_path: Path) -> None:
    build = str(tmp_path / "build")
    for command in (
        ["cmake", "-S", str(bundle), "-B", build],
        ["cmake", "--build", build],
        ["ctest", "--test-dir", build],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_one_file_is_the_same_bundle(bundle: Path, surrogate: Any, tmp_path: Path, c_compiler: str) -> None:
    archive = write_bundle(surrogate, tmp_path / "made.zip")
    checks = verify_bundle(archive)
    assert [check.verdict for check in checks[:2]] == ["agrees", "agrees"]
    with unpacked(archive) as folder:
        assert folder.name == "made"
        assert (folder / "weights.bin").read_bytes() == (bundle / "weights.bin").read_bytes()
    written = archive.read_bytes()
    assert write_bundle(surrogate, archive).read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == ["made.zip"]


def test_an_archive_of_something_else_is_left_alone_and_refused(surrogate: Any, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.zip"
    with zipfile.ZipFile(thesis, "w") as archive:
        archive.writestr("thesis/chapter.tex", "")
    with pytest.raises(ModelError, match="no exported surrogate"):
        write_bundle(surrogate, thesis)
    with pytest.raises(ModelError, match="no exported surrogate"):
        verify_bundle(thesis)
    with zipfile.ZipFile(thesis, "a") as archive:
        archive.writestr("more.tex", "")
    with pytest.raises(ModelError, match="2 files or folders"):
        verify_bundle(thesis)
    thesis.write_bytes(thesis.read_bytes()[:50])
    with pytest.raises(ModelError, match="cannot be unpacked"):
        verify_bundle(thesis)


def test_an_archive_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("../../planted", "")
        archive.writestr("/planted", "")
    with pytest.raises(ModelError):
        verify_bundle(tmp_path / "bundle.zip")
    assert not list(tmp_path.parent.rglob("planted"))
    assert not Path("/planted").exists()


def test_an_archive_that_grows_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chemnet.export.archive._MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle/weights.bin", bytes(10_000))
    with pytest.raises(ModelError, match="unpacks to more"):
        verify_bundle(tmp_path / "bundle.zip")
