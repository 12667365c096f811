"""Programs that try to get out, to take too much or to stay: each is contained and named."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import SandboxError
from core.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(scope="module")
def calculator() -> Iterator[Sandbox]:
    with Sandbox(seconds=1.0, memory_mb=64, output_chars=2000) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def unguarded() -> Iterator[Sandbox]:
    """Any Python is tried: only the kernel stands in the way."""
    with Sandbox(seconds=1.0, memory_mb=64, output_chars=2000, guarded=False) as sandbox:
        if not sandbox.contained:
            pytest.skip("this machine allows no system call filter")
        yield sandbox


def still_works(sandbox: Sandbox) -> bool:
    return sandbox.run("6*7").output == "42\n"


@pytest.mark.parametrize(
    ("program", "output"),
    [
        ("37*48", "1776\n"),
        ("print(1, 2, sep='-')", "1-2\n"),
        ("x = 3\nfor i in range(4):\n    x += i\nx", "9\n"),
        ("import math\nmath.isqrt(50)", "7\n"),
        ("from math import gcd\ngcd(12, 18)", "6\n"),
        ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nprint(f(5))\nf(6)", "120\n720\n"),
        ("'twelve'", "'twelve'\n"),
        ("x = 5", ""),
        ("", ""),
        ("print('é∑')", "é∑\n"),
    ],
)
def test_a_calculation_gives_its_result(calculator: Sandbox, program: str, output: str) -> None:
    execution = calculator.run(program)
    assert (execution.kind, execution.output, execution.error) == ("ok", output, None)
    assert 0 < execution.seconds < 1


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("1/0", "ZeroDivisionError: division by zero"),
        ("undefined + 1", "NameError: name 'undefined' is not defined"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def f(): f()\nf()", "RecursionError"),
        ("((", "SyntaxError"),
        ("(" * 5000, "SyntaxError"),
        ("math.sqrt(2)", "NameError"),
        # Python warns of these while it compiles them, and showing a warning imports a module.
        ("(1)(2)", "TypeError: 'int' object is not callable"),
        ("'3'(4)", "TypeError: 'str' object is not callable"),
    ],
)
def test_a_failing_program_names_its_error_in_one_line(
    calculator: Sandbox, program: str, error: str
) -> None:
    execution = calculator.run(program)
    assert execution.kind == "error"
    assert execution.error is not None
    assert execution.error.startswith(error)
    assert "\n" not in execution.error
    assert execution.text == execution.error


@pytest.mark.parametrize(
    ("program", "output"), [("1 is 1", "True\n"), ("assert (1, 'x')\n7", "7\n")]
)
def test_a_program_that_python_warns_of_runs_all_the_same(
    calculator: Sandbox, program: str, output: str
) -> None:
    execution = calculator.run(program)
    assert (execution.kind, execution.output, execution.error) == ("ok", output, None)


def test_output_before_an_error_is_kept_and_shown_with_it(calculator: Sandbox) -> None:
    execution = calculator.run("print(5)\n1/0")
    assert execution.output == "5\n"
    assert execution.text == "5\nZeroDivisionError: division by zero"


@pytest.mark.parametrize("program", ["while True: pass", "9**9**9", "sum(range(10**12))"])
def test_an_endless_program_is_stopped_at_its_time(calculator: Sandbox, program: str) -> None:
    execution = calculator.run(program)
    assert execution.kind == "timeout"
    assert execution.error is not None
    assert "stopped after 1 s" in execution.error
    assert execution.seconds < 3
    assert still_works(calculator)


@pytest.mark.parametrize(
    "program", ["[0] * 10**9", "a = []\nwhile True:\n    a.append('x' * 10**6 + str(len(a)))"]
)
def test_a_memory_hog_gets_no_more_than_its_share(calculator: Sandbox, program: str) -> None:
    assert calculator.run(program).kind == "memory"
    assert still_works(calculator)


def test_memory_within_the_share_is_given(calculator: Sandbox) -> None:
    assert calculator.run("len([0] * (4 * 2**20))").output == "4194304\n"


@pytest.mark.parametrize("program", ["print('x' * 10**5)", "while True: print('abc')"])
def test_too_much_output_is_cut_and_stops_the_program(calculator: Sandbox, program: str) -> None:
    execution = calculator.run(program)
    assert execution.kind == "output"
    assert len(execution.output) == 2000


def test_catching_everything_does_not_hide_too_much_output(calculator: Sandbox) -> None:
    program = "try:\n    print('x' * 3000)\nexcept BaseException:\n    pass\nprint('more')"
    execution = calculator.run(program)
    assert execution.kind == "output"
    assert len(execution.output) == 2000


@pytest.mark.parametrize(
    "program",
    [
        "import os",
        "__import__('os').system('ls')",
        "open('/etc/passwd').read()",
        "open('left-behind', 'w').write('x')",
        "eval('1+1')",
        "getattr(1, '__class__')",
        "().__class__.__base__.__subclasses__()",
        "import math\nmath.__loader__",
        "input()",
    ],
)
def test_what_a_calculator_has_no_use_for_is_refused_by_name(
    calculator: Sandbox, program: str
) -> None:
    execution = calculator.run(program)
    assert execution.kind == "forbidden"
    assert execution.error is not None
    assert execution.error.startswith("PermissionError: ")
    assert still_works(calculator)


@pytest.mark.parametrize(
    "program",
    [
        "open('/etc/passwd').read()",
        "open('left-behind', 'w')",
        "import os\nos.listdir('/')",
        "import os\nwhile True: os.fork()",
        "import os\nos.kill(1, 9)",
        "import os\nos.kill(-1, 9)",
        "import posix\nposix.execv('/bin/sh', ['sh'])",
        "import os\nos.mkdir('x')",
        "import os\nos.pipe()",
        "import os\nos.chroot('..')",
        "import os\nos.setuid(0)",
        "import sys\nprint(open('/proc/self/environ').read())",
        "import os\nos.memfd_create('x')",
    ],
)
def test_the_kernel_alone_refuses_what_python_would_allow(unguarded: Sandbox, program: str) -> None:
    execution = unguarded.run(program)
    assert execution.kind == "forbidden", execution
    assert still_works(unguarded)


@pytest.mark.parametrize("call", ["fork()", "vfork()", "socket(2, 1, 0)", "ptrace(0, 0, 0, 0)"])
def test_calls_through_c_fail_too(unguarded: Sandbox, call: str) -> None:
    assert unguarded.run(f"import ctypes\nctypes.CDLL(None).{call}").output == "-1\n"


def test_no_packet_reaches_a_listening_server(unguarded: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        port = server.getsockname()[1]
        program = (
            "import ctypes, struct\n"
            "libc = ctypes.CDLL(None)\n"
            "handle = libc.socket(2, 1, 0)\n"
            f"address = struct.pack('<H', 2) + struct.pack('>H', {port}) + bytes([127, 0, 0, 1])\n"
            "libc.connect(handle, address + bytes(8), 16)"
        )
        assert unguarded.run(program).output == "-1\n"
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos._exit(0)",
        "import os\nos.abort()",
        "import ctypes\nctypes.string_at(0)",
        "import os\nfor i in range(64):\n    try: os.close(i)\n    except OSError: pass\n"
        "while True: pass",
    ],
)
def test_a_program_that_ends_without_a_result_is_a_crash(unguarded: Sandbox, program: str) -> None:
    assert unguarded.run(program).kind == "crash"
    assert still_works(unguarded)


def test_a_program_can_lie_about_itself_only(unguarded: Sandbox) -> None:
    forged = (
        "import os\n"
        "for i in range(3, 20):\n"
        '    try: os.write(i, b\'{"kind": "ok", "output": 3, "error": null}\')\n'
        "    except OSError: pass\n"
        "os._exit(0)"
    )
    assert unguarded.run(forged).kind == "crash"
    flood = (
        "import os\nwhile True:\n    for i in range(3, 20):\n"
        "        try: os.write(i, b'x' * 9999)\n        except OSError: pass"
    )
    assert unguarded.run(flood).kind in ("crash", "timeout")
    assert still_works(unguarded)


def test_unbounded_recursion_without_python_limit_is_contained(unguarded: Sandbox) -> None:
    program = "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()"
    assert unguarded.run(program).kind in ("error", "memory", "crash", "timeout")
    assert still_works(unguarded)


def test_nothing_is_left_behind_and_no_process_outlives_the_sandbox(tmp_path: Path) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    with Sandbox(guarded=False) as sandbox:
        assert sandbox._process is not None
        assert sandbox._folder is not None
        worker, folder = sandbox._process.pid, Path(sandbox._folder.name)
        sandbox.run("open('left-behind', 'w').write('x')")
        assert list(folder.iterdir()) == []
    assert not folder.exists()
    assert {path.name for path in tmp_path.iterdir()} == before
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_the_program_sees_no_environment(unguarded: Sandbox) -> None:
    os.environ["SANDBOX_SECRET"] = "shown"
    assert "shown" not in unguarded.run("import os\ndict(os.environ)").output


def test_a_lost_worker_is_replaced(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        assert sandbox._process is not None
        os.kill(sandbox._process.pid, signal.SIGKILL)
        sandbox._process.wait()
        assert sandbox.run("1+1").kind == "crash"
        assert sandbox.run("1+1").output == "2\n"


def test_many_programs_answer_in_order(calculator: Sandbox) -> None:
    programs = [f"{i} * 7" if i % 10 else "1/0" for i in range(60)]
    ends = calculator.run_many(programs)
    assert [end.kind for end in ends] == ["ok" if i % 10 else "error" for i in range(60)]
    assert ends[59].output == "413\n"


def test_a_program_leaves_no_trace_for_the_next(calculator: Sandbox) -> None:
    calculator.run("x = 1\nprint = None\nimport math\nmath.pi = 3")
    assert calculator.run("x").kind == "error"
    assert calculator.run("import math\nprint(math.pi)").output == "3.141592653589793\n"


def test_a_sandbox_that_is_not_entered_says_so() -> None:
    with pytest.raises(SandboxError, match="with Sandbox"):
        Sandbox().run("1")


@pytest.mark.parametrize("bad", [{"seconds": 0}, {"memory_mb": 1}, {"output_chars": 0}])
def test_limits_out_of_range_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="A sandbox needs"):
        Sandbox(**bad)


def test_where_forking_is_impossible_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(SandboxError, match="cannot fork"):
        Sandbox().__enter__()


def test_the_level_is_stated(calculator: Sandbox) -> None:
    assert calculator.level[0] == "time and memory limits"
    if sys.platform == "linux":
        assert calculator.contained == ("system call filter" in calculator.level)


def test_an_ordinary_user_gets_the_same_containment(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the tests already run as an ordinary user")
    settings = '{"seconds": 1, "memory_mb": 64, "output_chars": 99, "guarded": false}'
    from core.sandbox import client

    tmp_path.chmod(0o777)
    code = f"import os; os.setgid(65534); os.setuid(65534)\n{client._BOOTSTRAP}"
    folder = str(Path(client.__file__).parent)
    # An ordinary user may not be able to read the package here, so it is imported as root first.
    code = code.replace("import os;", f"import os, sys; sys.path.insert(0, {str(Path.cwd())!r});")
    code = code.replace("os.setgid", "import core.sandbox.worker; os.setgid", 1)
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code, settings, folder],
        input=b'"1+1"\n"open(1000)"\n"import os; os.fork()"\n',
        capture_output=True,
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    lines = ended.stdout.decode().splitlines()
    assert "system call filter" in lines[0], ended.stderr.decode()
    assert '"output": "2\\n"' in lines[1]
    assert '"kind": "forbidden"' in lines[3]
