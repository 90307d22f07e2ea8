"""What workflow code must not use, why, and what to use instead.

A name ends in a dot when all below it is meant, and in ``<2`` when it is a call with
fewer than two arguments that is. The longest name that fits counts.

Source:
    dx.md section 1.2 (sandbox); issue 4 section 4.
"""

from typing import NamedTuple

from flowser.replay import troubles
from flowser.replay._loop import Loop
from flowser.replay._refusing import REFUSED


class Reason(NamedTuple):
    """Why something cannot be replayed.

    Attributes:
        why: What it does, after its name.
        remedy: What to do instead.
    """

    why: str
    remedy: str


class Rule(NamedTuple):
    """What is said of a name.

    Attributes:
        reason: Why it cannot be replayed.
        fewer: A call with so many arguments can be replayed; None when none can.
    """

    reason: Reason
    fewer: int | None = None


_ELSEWHERE = f"{troubles.ACTIVITY}, or a flow.step"

CLOCK = Reason("reads a clock", "use flow.now()")
SLEEP = Reason("blocks the worker", "await asyncio.sleep()")
CHANCE = Reason("is random", "use flow.random()")
UUID = Reason("is random", "use flow.uuid4()")
SECRET = Reason("is random", _ELSEWHERE)
FILE = Reason("reads or writes files", _ELSEWHERE)
MACHINE = Reason("asks the machine", "pass it in the input, or read it in a flow.step")
NETWORK = Reason("goes to the network", troubles.ACTIVITY)
DATABASE = Reason("goes to a database", troubles.ACTIVITY)
PROCESS = Reason("starts or ends processes", troubles.ACTIVITY)
THREAD = Reason("is for threads", f"use asyncio's own, or {troubles.ACTIVITY}")
LOOP = Reason("is nothing that the loop of a workflow does", troubles.ACTIVITY)
EXIT = Reason("stops every worker that runs it", "raise an exception, or return")
CONSOLE = Reason("asks a person at the console", "wait for flow.signals()")
ADDRESS = Reason("differs from process to process", "use a key of your own")
GLOBAL = Reason("is shared by all runs", "keep it in a local variable")
ORDER = Reason("has another order in another process", "sort it")
COROUTINES = Reason("has no order over bare coroutines", troubles.TASKS)

_TABLE: tuple[tuple[Reason | None, str], ...] = (
    (
        CLOCK,
        """
        time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter
        time.perf_counter_ns time.process_time time.process_time_ns time.thread_time
        time.thread_time_ns time.clock_gettime time.clock_gettime_ns
        time.localtime<1 time.gmtime<1 time.ctime<1 time.asctime<1 time.strftime<2
        datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today
        datetime.date.today
        email.utils.localtime<1 email.utils.formatdate<1 timeit.
        pendulum.now pendulum.today pendulum.tomorrow pendulum.yesterday
        arrow.now arrow.utcnow arrow.api.now arrow.api.utcnow
        django.utils.timezone.now django.utils.timezone.localdate<1
        whenever.Instant.now whenever.ZonedDateTime.now
        """,
    ),
    (SLEEP, "time.sleep sched."),
    (
        CHANCE,
        """
        random. random.Random<1 numpy.random. numpy.random.default_rng<1
        numpy.random.RandomState<1 numpy.random.SeedSequence<1
        """,
    ),
    (
        UUID,
        "uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 uuid.getnode ulid. shortuuid.",
    ),
    (SECRET, "secrets. os.urandom os.getrandom ssl.RAND_bytes random.SystemRandom"),
    (
        FILE,
        """
        open io.open io.open_code io.FileIO codecs.open os. shutil. tempfile. glob.
        fileinput. filecmp. linecache. mmap. aiofiles. gzip.open gzip.GzipFile bz2.open
        bz2.BZ2File lzma.open lzma.LZMAFile zipfile.ZipFile tarfile.open tarfile.TarFile
        shelve. dbm. pkgutil.get_data numpy.load numpy.save numpy.loadtxt
        pandas.read_csv pandas.read_parquet pandas.read_excel pandas.read_json
        anyio.open_file anyio.Path anyio.NamedTemporaryFile anyio.TemporaryFile
        anyio.TemporaryDirectory anyio.mkstemp anyio.mkdtemp
        os.path.exists os.path.lexists os.path.isfile os.path.isdir os.path.islink
        os.path.ismount os.path.getsize os.path.getmtime os.path.getatime
        os.path.getctime os.path.realpath os.path.samefile
        pathlib.Path.
        """,
    ),
    (
        MACHINE,
        """
        os.environ os.environb os.getenv os.getenvb os.putenv os.unsetenv os.getpid
        os.getppid os.cpu_count os.getlogin os.getuid os.getcwd os.getcwdb os.uname
        os.getloadavg os.path.abspath os.path.expanduser os.path.expandvars
        pathlib.Path.absolute pathlib.Path.cwd pathlib.Path.expanduser
        sys.argv sys.getrefcount getpass.getuser platform. pwd. grp. resource. psutil.
        dotenv. decouple.config
        """,
    ),
    (
        NETWORK,
        """
        socket. socketserver. select. selectors. ssl.get_server_certificate
        urllib.request. http.client. http.server. ftplib. smtplib. imaplib. poplib.
        telnetlib. nntplib. xmlrpc.client. xmlrpc.server. webbrowser.
        requests. httpx. aiohttp. urllib3. niquests. pycurl. websockets. websocket.
        grpc. paramiko. asyncssh. boto. boto3. botocore. aioboto3. aiobotocore. kafka.
        aiokafka. confluent_kafka. pika. aio_pika. nats. zmq. paho. slack_sdk. openai.
        anthropic. stripe. twilio.
        asyncio.open_connection asyncio.open_unix_connection asyncio.start_server
        asyncio.start_unix_server
        anyio.connect_tcp anyio.connect_unix anyio.create_tcp_listener
        anyio.create_unix_listener anyio.create_udp_socket
        anyio.create_connected_udp_socket anyio.create_unix_datagram_socket
        anyio.getaddrinfo anyio.getnameinfo anyio.wait_readable anyio.wait_writable
        """,
    ),
    (
        DATABASE,
        """
        sqlite3. psycopg. psycopg2. asyncpg. aiosqlite. pymysql. MySQLdb. aiomysql.
        asyncmy. oracledb. pyodbc. duckdb. pymongo. motor. redis. valkey. elasticsearch.
        opensearchpy. cassandra. neo4j. pynamodb. sqlalchemy.create_engine
        sqlalchemy.engine. sqlalchemy.orm.Session sqlalchemy.orm.session.
        sqlalchemy.ext.asyncio.
        """,
    ),
    (
        PROCESS,
        """
        subprocess. multiprocessing. pty. os.system os.popen os.fork os.forkpty
        os.kill os.killpg os.execv os.execve os.execvp os.execvpe
        os.posix_spawn os.posix_spawnp os.spawnv os.spawnve os.wait os.waitpid
        signal. atexit.
        asyncio.create_subprocess_exec asyncio.create_subprocess_shell
        anyio.run_process anyio.open_process anyio.open_signal_receiver
        anyio.to_process. anyio.to_interpreter. concurrent.futures.ProcessPoolExecutor
        """,
    ),
    (
        THREAD,
        """
        threading. concurrent.futures. queue. asgiref.sync. asyncio.to_thread
        asyncio.run_coroutine_threadsafe anyio.to_thread. anyio.from_thread.
        """,
    ),
    (
        LOOP,
        """
        asyncio.run asyncio.Runner asyncio.new_event_loop asyncio.set_event_loop
        anyio.run uvloop. asyncio.AbstractEventLoop.set_task_factory
        asyncio.AbstractEventLoop.set_exception_handler
        """
        + " ".join(
            f"asyncio.AbstractEventLoop.{name}" for name in REFUSED - vars(Loop).keys()
        ),
    ),
    (EXIT, "sys.exit os._exit os.abort"),
    (CONSOLE, "input breakpoint getpass.getpass pdb."),
    (ADDRESS, "id hash"),
    (COROUTINES, "asyncio.as_completed"),
    (
        None,
        """
        random.Random. numpy.random.Generator. numpy.random.RandomState.
        numpy.random.BitGenerator. numpy.random.PCG64. os.path. os.fspath os.fsencode
        os.fsdecode os.strerror os.PathLike os.path.join secrets.compare_digest
        glob.escape glob.has_magic threading.local.
        boto3.dynamodb.conditions. boto3.dynamodb.types.
        """,
    ),
)

#: Data, not calls: to mention it is to read it.
DATA = frozenset({"os.environ", "os.environb", "sys.argv", "sys.stdin"})

#: What takes things in any order, and gives the same.
ORDERLESS = {"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum"}

#: What keeps the order in which it takes things.
ORDERED = {"enumerate", "filter", "iter", "list", "map", "tuple", "zip"}
ORDERED |= {"asyncio.gather", "collections.deque", "dict.fromkeys", "str.join"}


def _rules() -> dict[str, Rule | None]:
    found: dict[str, Rule | None] = {}
    for reason, names in _TABLE:
        for word in names.split():
            name, _, fewer = word.partition("<")
            number = int(fewer) if fewer else None
            found[name] = None if reason is None else Rule(reason, number)
    return found


_RULES = _rules()


def rule_of(name: str) -> Rule | None:
    """Give the rule for a dotted name, or None."""
    if name in _RULES:
        return _RULES[name]
    while name:
        name = name.rpartition(".")[0]
        if f"{name}." in _RULES:
            return _RULES[f"{name}."]
    return None
