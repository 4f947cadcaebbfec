import os
import resource
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from bridge.config import (
    ConfigError,
    HsmConfig,
    VCenterConfig,
    check_files,
    check_hsm_files,
    check_state_dir,
    load,
)


@pytest.fixture
def folder(tmp_path, document):
    (tmp_path / "libpkcs11.so").write_bytes(b"\x7fELF")
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "pin").write_text("123456\n")
    (tmp_path / "pin").chmod(0o400)
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    text = document.replace("/opt/vendor/", "").replace(
        'pin_credential = "hsm-pin"', "pin_file = 'pin'"
    )
    (tmp_path / "bridge.toml").write_text(text)
    return tmp_path


def complaint(folder):
    with pytest.raises(ConfigError) as caught:
        check_files(load(folder / "bridge.toml"))
    return str(caught.value)


def vcenter(path):
    return VCenterConfig(name="a", url="https://v", username="u", password_file=path)


def test_good_files_pass_without_a_word(folder):
    warnings = []
    check_files(load(folder / "bridge.toml"), warnings.append)
    assert warnings == []


def test_a_missing_module_is_named(folder):
    (folder / "libpkcs11.so").unlink()
    assert f"hsm.luna.module: {folder}/libpkcs11.so does not exist" in complaint(folder)


def test_a_module_that_is_a_folder(folder):
    (folder / "libpkcs11.so").unlink()
    (folder / "libpkcs11.so").mkdir()
    assert "libpkcs11.so is a directory" in complaint(folder)


@pytest.mark.parametrize("name", ["libpkcs11.so", "pin", "password", "ca.pem"])
def test_a_pipe_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert f"{folder}/{name} is not a file" in complaint(folder)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\x00\x03\x00",
            "is built for x86 (32 bits), and",
        ),
        (b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x03\x00\x16", "is built for S/390 (64 bits)"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xfe\xca", "for machine 51966 (64 bits)"),
    ],
)
def test_a_module_for_another_processor(folder, header, words):
    (folder / "libpkcs11.so").write_bytes(header)
    assert words in complaint(folder)
    assert complaint(folder).endswith("; name the PKCS#11 library that the HSM's vendor delivers")


def test_a_module_for_this_processor(folder):
    (folder / "libpkcs11.so").write_bytes(Path("/proc/self/exe").read_bytes()[:64])
    check_files(load(folder / "bridge.toml"))


def test_a_missing_pin_file(folder):
    (folder / "pin").unlink()
    assert "hsm.luna.pin_file: cannot read" in complaint(folder)
    assert "there is no such file" in complaint(folder)


def test_an_empty_pin_file(folder):
    (folder / "pin").chmod(0o600)
    (folder / "pin").write_text("")
    assert "pin is empty" in complaint(folder)


def test_a_ca_file_without_a_certificate(folder):
    (folder / "ca.pem").write_text("not a certificate")
    assert "vcenter.site-a.ca_file" in complaint(folder)
    assert "https://vcenter.example.com/certs/download.zip" in complaint(folder)


def test_a_ca_file_that_is_the_whole_download(folder):
    with zipfile.ZipFile(folder / "ca.pem", "w") as archive:
        archive.writestr("certs/lin/1234.0", "a certificate")
    assert complaint(folder).endswith(
        "ca.pem is a zip archive; unpack it and name the file in certs/lin"
    )


def test_a_state_directory_is_made_when_it_is_needed(folder):
    config = load(folder / "bridge.toml").model_copy(update={"state_dir": folder / "a" / "b"})
    check_files(config)
    assert not (folder / "a").exists()


@pytest.mark.parametrize("below", ["", "below"])
def test_a_state_directory_that_is_a_file(folder, below):
    config = load(folder / "bridge.toml").model_copy(update={"state_dir": folder / "pin" / below})
    with pytest.raises(ConfigError, match=r"^state_dir: .*pin is not a directory; name a"):
        check_files(config)


@contextmanager
def another_user():
    """Not root, if the tests are run by root: root may write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("name", "todo"),
    [("ca.pem", "run chmod 644 on it"), ("libpkcs11.so", "let it read the file, and enter the")],
)
def test_what_the_user_of_the_service_may_not_read(folder, name, todo):
    config = load(folder / "bridge.toml")
    (folder / name).chmod(0)
    with another_user(), pytest.raises(ConfigError) as caught:
        check_files(config)
    texts = [problem.text for problem in caught.value.problems]
    assert any(f"{name} may not be read by this user; {todo}" in text for text in texts)


def test_a_state_directory_that_may_not_be_written(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o555)
    with (
        another_user(),
        pytest.raises(ConfigError, match=r"^state_dir: this user may not write into /"),
    ):
        check_state_dir(folder / "below")


def test_a_state_directory_on_a_full_disk(folder):
    config = load(folder / "bridge.toml").model_copy(update={"state_dir": folder})
    before, limits = sorted(folder.iterdir()), resource.getrlimit(resource.RLIMIT_FSIZE)
    check_state_dir(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        check_files(config)  # run goes on: hosts want to be fed
        with pytest.raises(ConfigError, match=r"nothing can be written into .*\(File too large\)"):
            check_state_dir(folder)
        with pytest.raises(ConfigError, match=r"; make room, or name a directory for notes on PIN"):
            check_hsm_files(next(iter(config.hsm.values())), state_dir=folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(folder.iterdir()) == before


def test_several_missing_files_are_one_line(folder):
    (folder / "pin").unlink()
    (folder / "password").unlink()
    assert complaint(folder).endswith("(and 1 more problem: vcenter.site-a.password_file)")


def test_files_that_others_may_open_are_warned_about(folder):
    (folder / "password").chmod(0o640)
    (folder / "pin").chmod(0o604)
    warnings = []
    check_files(load(folder / "bridge.toml"), warnings.append)
    assert [w.split(":")[0] for w in warnings] == [
        "hsm.luna.pin_file",
        "vcenter.site-a.password_file",
    ]


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"x", "x"),
        (b"x\n", "x"),
        (b"x\r\n", "x"),
        (b" x \n", " x "),
        ("pä\n".encode(), "pä"),
    ],
)
def test_one_trailing_newline_is_not_part_of_a_secret(tmp_path, content, secret):
    path = tmp_path / "p"
    path.write_bytes(content)
    assert vcenter(path).password().get_secret_value() == secret


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\n\n", "more than one line"),
        (b"hunter2\nmore", "more than one line"),
        (b"hunter2\0", "more than one line"),
        (b"hunter2\xff", "is not UTF-8"),
        (b"hunter2" * 1000, "too large for a secret"),
    ],
)
def test_an_unusable_secret_is_refused_and_not_repeated(tmp_path, content, words):
    path = tmp_path / "p"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        vcenter(path).password()
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_secret_shows_nowhere(tmp_path):
    path = tmp_path / "p"
    path.write_text("hunter2")
    config = vcenter(path)
    password = config.password()
    assert "hunter2" not in f"{password!r} {password} {config!r} {[password]}"


def test_a_device_is_no_secret():
    with pytest.raises(ConfigError, match="is not a file"):
        vcenter(Path("/dev/zero")).password()


def test_credentials_come_from_systemds_folder(tmp_path, monkeypatch):
    hsm = HsmConfig(name="a", module=Path("/m.so"), pin_credential="hsm-pin")
    with pytest.raises(
        ConfigError, match=r"hsm.a.pin_credential: \$CREDENTIALS_DIRECTORY is not set"
    ):
        hsm.pin_path()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert hsm.pin_path() == tmp_path / "hsm-pin"
    site = VCenterConfig(name="a", url="https://v", username="u", password_credential="pw")
    (tmp_path / "pw").write_text("x\n")
    assert site.password().get_secret_value() == "x"


def test_systemds_credentials_are_not_warned_about(folder, monkeypatch):
    text = (folder / "bridge.toml").read_text()
    text = text.replace("pin_file", "pin_credential").replace(
        "password_file", "password_credential"
    )
    (folder / "bridge.toml").write_text(text)
    (folder / "pin").chmod(0o440)
    (folder / "password").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    warnings = []
    check_files(load(folder / "bridge.toml"), warnings.append)
    assert warnings == []


def test_no_pin_means_no_login():
    assert HsmConfig(name="a", module=Path("/m.so")).pin_path() is None
