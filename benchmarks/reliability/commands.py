"""List the commands that measure reliability, one row each, and what they promise.

The pages `docs/reliability.md` and `docs/zh/reliability.md`, the nightly run and the
tests read these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen


@frozen
class Wording:
    """What a figure means for a user, and the bound within which it holds."""

    sentence: str
    bound: str


@frozen
class Promise:
    """The same promise in each language of the page."""

    en: Wording
    zh: Wording


@frozen(eq=False)
class Command:
    """A command, the figures that it measures, and what each of them promises.

    ``arguments`` are those of the full figure, ``short`` those with which it takes
    seconds, ``nightly`` those of the night where they are others. One that is
    ``seeded`` takes ``--seed``.
    """

    module: str
    promises: Mapping[str, Promise]
    arguments: str = ""
    short: str = ""
    nightly: str = ""
    seeded: bool = False

    def written(self, arguments: str) -> str:
        """Return the command as a person types it."""
        return f"python -m benchmarks.reliability.{self.module} {arguments}".rstrip()


COMMANDS: Final = (
    Command(
        "faultmix",
        {
            "R1": Promise(
                en=Wording(
                    "Of 100,000 calls to a server that resets, fails, refuses and"
                    " truncates one in five, none has a wrong answer or somebody"
                    " else's, none hangs, and every failure is an error of ours.",
                    "0 wrong, crossed, doubled, untyped or hung; successes at least"
                    " 1-p^attempts less 3 sigma; the count of requests is the server's",
                ),
                zh=Wording(
                    "向一个每五次就有一次重置、出错、拒绝或截断的服务器发出 100,000"
                    " 次调用，没有一次得到错误的回答或别人的回答，没有一次挂起，"
                    "每次失败都是本软件包自己的错误类。",
                    "0 次错误、串线、重复、没有错误类或挂起；成功的不少于 1-p^尝试次数"
                    " 减 3 个标准差；请求的计数与服务器的相同",
                ),
            ),
            "R23": Promise(
                en=Wording(
                    "No more requests are in flight than are allowed, and what is"
                    " allowed is used.",
                    "in flight <= limit; used >= 95 % while somebody waits",
                ),
                zh=Wording(
                    "同时在途的请求不多于允许的数量，而允许的数量也会用足。",
                    "在途 <= 上限；有调用在等时，用到 >= 95 %",
                ),
            ),
        },
        short="--n 500",
        seeded=True,
    ),
    Command(
        "faultmix",
        {
            "R2": Promise(
                en=Wording(
                    "A stream that is cut is never taken for a whole one, whatever"
                    " byte it is cut at, and what was delivered is its beginning.",
                    "0 silent truncations, 0 repeated events",
                ),
                zh=Wording(
                    "中断的流绝不会被当作完整的流，无论断在哪个字节；"
                    "已交付的内容就是它的开头。",
                    "0 次悄悄的截断，0 个重复的事件",
                ),
            )
        },
        arguments="--stream",
        short="--stream --n 100",
        seeded=True,
    ),
    Command(
        "outage",
        {
            "R4": Promise(
                en=Wording(
                    "A thousand callers of a server that is down do not multiply into"
                    " a storm: after few attempts each fails at once.",
                    "attempts <= callers + 35, then failing in < 5 ms",
                ),
                zh=Wording(
                    "服务器停机时，一千个调用者不会汇成请求的风暴：少数几次尝试之后，"
                    "每个调用都立即失败。",
                    "尝试 <= 调用者 + 35，此后每次失败 < 5 ms",
                ),
            )
        },
        short="--callers 100",
        seeded=True,
    ),
    Command(
        "herd",
        {
            "R6": Promise(
                en=Wording(
                    "A thousand callers of a model that is being loaded send a handful"
                    " of requests meanwhile, and all of them get their answer.",
                    "cold requests <= limit + 6 (20 s), + 17 (120 s), + 34 (300 s)",
                ),
                zh=Wording(
                    "模型正在加载时，它的一千个调用者在此期间只发出少数几个请求，"
                    "并且全都得到回答。",
                    "加载期间的请求 <= 上限 + 6（20 秒）、+ 17（120 秒）、+ 34（300"
                    " 秒）",
                ),
            )
        },
        short="--waiters 100 --cold 20",
        seeded=True,
    ),
    Command(
        "herd",
        {
            "R7": Promise(
                en=Wording(
                    "So it is where callers leave while they wait, the one that asks"
                    " for all of them first.",
                    "0 stuck; one request more for each that was replaced",
                ),
                zh=Wording(
                    "调用者在等待中离开时也是这样，"
                    "最先离开的就是代表大家询问的那一个。",
                    "0 个卡住；每换一个代表，多一次请求",
                ),
            )
        },
        arguments="--cancel .1 --seeds 200",
        short="--cancel .1 --seeds 3 --waiters 100",
        seeded=True,
    ),
    Command(
        "release",
        {
            "R9": Promise(
                en=Wording(
                    "When the model is ready, the crowd is let go in steps and does"
                    " not crush it.",
                    "<= 32 in flight once, <= 17 after the first refusal; < 3 %"
                    " refused; no second cold start",
                ),
                zh=Wording(
                    "模型就绪后，等待的调用分步放行，不会压垮它。",
                    "一次在途 <= 32，第一次被拒绝之后 <= 17；被拒绝的 < 3 %；"
                    "没有第二次冷启动",
                ),
            )
        },
        short="--callers 200",
        seeded=True,
    ),
    Command(
        "soak",
        {
            "R12": Promise(
                en=Wording(
                    "After half an hour of calls, faults, streams and cancelled"
                    " callers nothing is left over: no memory, file, task, connection"
                    " or permit.",
                    "memory's growth has 0 in its 95 % interval and is < 1 % an hour;"
                    " all counts back where they began",
                ),
                zh=Wording(
                    "经过半小时的调用、故障、流和被取消的调用者，什么都没有残留："
                    "没有内存、文件、任务、连接或名额。",
                    "内存增长的 95 % 区间包含 0，且每小时 < 1 %；所有计数回到起点",
                ),
            )
        },
        arguments="--minutes 30",
        short="--minutes .1",
        seeded=True,
    ),
    Command(
        "lifecycle",
        {
            "R13": Promise(
                en=Wording(
                    "Opening and closing a thousand clients leaves nothing behind.",
                    "< 4 MiB; 0 warnings, 0 bytes on stderr",
                ),
                zh=Wording(
                    "打开再关闭一千个客户端，什么都不会残留。",
                    "< 4 MiB；0 个警告，stderr 上 0 字节",
                ),
            )
        },
        short="--clients 50",
    ),
    Command(
        "sse_matrix",
        {
            "R16": Promise(
                en=Wording(
                    "Event streams are read alike, however odd they are and however"
                    " they are cut into pieces.",
                    "20 of 20 cases at every chunk size",
                ),
                zh=Wording(
                    "事件流无论多么古怪、怎样被切成小块，读取的结果都相同。",
                    "每种块大小下，20 个案例中的 20 个",
                ),
            )
        },
    ),
    Command(
        "desync",
        {
            "R20": Promise(
                en=Wording(
                    "A thousand callers who were told to wait for one moment do not"
                    " come back all at once.",
                    "in any 100 ms at most as many as may be in flight",
                ),
                zh=Wording(
                    "被告知等到同一时刻的一千个调用者，不会一齐回来。",
                    "任意 100 ms 内，最多与允许的在途数量相同",
                ),
            )
        },
        short="--sleepers 200",
        seeded=True,
    ),
    Command(
        "aimd",
        {
            "R24": Promise(
                en=Wording(
                    "How many requests at once a server takes is found out soon, and"
                    " then hardly run against.",
                    "after 60 round trips within 20 %, < 3 % refused",
                ),
                zh=Wording(
                    "服务器能同时接受多少请求，很快就能找出，此后几乎不会碰到上限。",
                    "60 个往返之后误差在 20 % 以内，被拒绝的 < 3 %",
                ),
            )
        },
        short="--seeds 1 --capacities 2 8",
        seeded=True,
    ),
    Command(
        "killer",
        {
            "R25": Promise(
                en=Wording(
                    "A program that is killed at any moment damages no file and has"
                    " counted every request it sent.",
                    "ledger >= server, and at most 64 more for each that was killed",
                ),
                zh=Wording(
                    "程序在任何时刻被强行终止，都不会损坏文件，"
                    "它发出的每个请求都已计入。",
                    "账本 >= 服务器，每个被终止的程序最多多计 64 个",
                ),
            )
        },
        short="--n 10",
        seeded=True,
    ),
    Command(
        "procs",
        {
            "R26": Promise(
                en=Wording(
                    "Eight programs that count in one file at the same time lose"
                    " nothing.",
                    "the sums are exact, nobody sees a lock",
                ),
                zh=Wording(
                    "八个程序同时在一个文件中计数，什么都不会丢失。",
                    "总和完全正确，没有程序遇到锁",
                ),
            )
        },
        short="--procs 2 --calls 200",
    ),
    Command(
        "cache_procs",
        {
            "R26": Promise(
                en=Wording(
                    "Eight programs share the kept answers: none gets another"
                    " question's.",
                    "0 wrong, 0 stale, 0 locks",
                ),
                zh=Wording(
                    "八个程序共用保存的回答：没有一个得到别的问题的回答。",
                    "0 个错误，0 个过期，0 次遇到锁",
                ),
            )
        },
        short="--processes 2 --operations 100",
    ),
    Command(
        "disk",
        {
            "R27": Promise(
                en=Wording(
                    "On a disk that is full, read-only or damaged calls go on, with"
                    " right answers and one warning.",
                    "0 failed, 0 wrong, <= 1 warning of a file",
                ),
                zh=Wording(
                    "磁盘已满、只读或损坏时，调用照常进行，回答正确，只有一条警告。",
                    "0 次失败，0 个错误，每个文件 <= 1 条警告",
                ),
            )
        },
        short="--flips 20 --sizes 2",
        seeded=True,
    ),
    Command(
        "fuzz_config",
        {
            "R28": Promise(
                en=Wording(
                    "A configuration of any bytes is read, or refused with the place"
                    " of what is wrong, soon, and without showing a key.",
                    "0 crashes, < 1 s and < 50 MiB each, 0 problems without a line, 0"
                    " keys",
                ),
                zh=Wording(
                    "由任意字节组成的配置，要么能够读取，要么被拒绝并指出错在何处；"
                    "都很快，也不会显示密钥。",
                    "0 次崩溃，每个 < 1 s 且 < 50 MiB，0 个没有行号的问题，0 个密钥",
                ),
            )
        },
        short="--n 100 --attacks 20",
        nightly="--n 1000000",
        seeded=True,
    ),
    Command(
        "urls",
        {
            "R29": Promise(
                en=Wording(
                    "No model's id and no path leads a call to another server, or out"
                    " of its place there.",
                    "origin and path stay, or it is refused",
                ),
                zh=Wording(
                    "任何模型 id、任何路径，都不会把调用引向另一个服务器，"
                    "也不会使它离开在那里的位置。",
                    "来源地址和路径不变，否则拒绝",
                ),
            )
        },
        short="--n 2000",
        seeded=True,
    ),
    Command(
        "canary",
        {
            "R30": Promise(
                en=Wording(
                    "No error, log, trace, file or screen shows a token.",
                    "0 of all errors in all the places",
                ),
                zh=Wording(
                    "任何错误、日志、回溯、文件或屏幕都不会显示令牌。",
                    "所有错误在所有位置共 0 次",
                ),
            )
        },
        short="--every 40",
    ),
    Command(
        "bombs",
        {
            "R32": Promise(
                en=Wording(
                    "A small answer that unpacks to a gigabyte, or to millions of"
                    " elements, is refused at once; a large one that was asked for"
                    " comes whole.",
                    "each bomb one typed error, 'partial' exact; < 64 MiB; no callback"
                    " of 100 ms",
                ),
                zh=Wording(
                    "很小、但解压后有一个 GB，或含有数百万个元素的回答，会立即被拒绝；"
                    "所请求的大回答则完整送达。",
                    "每个炸弹一个有类型的错误，'partial' 准确；< 64 MiB；"
                    "没有 100 ms 的回调",
                ),
            )
        },
        short="--megabytes 4 --only calls",
    ),
    Command(
        "overhead",
        {
            "R39": Promise(
                en=Wording(
                    "What a call and an event cost, compared with aiohttp by hand.",
                    "call <= 1.20, event <= 0.45 times",
                ),
                zh=Wording(
                    "一次调用和一个事件的开销，与直接使用 aiohttp 相比。",
                    "调用 <= 1.20 倍，事件 <= 0.45 倍",
                ),
            )
        },
        short="--rounds 2 --share 20",
    ),
    Command(
        "importcheck",
        {
            "R41": Promise(
                en=Wording(
                    "Importing the plugin is quick, and does nothing besides.",
                    "<= 0.5 of `import aiohttp`; no socket, thread or file",
                ),
                zh=Wording(
                    "导入插件很快，并且不做别的事。",
                    "<= `import aiohttp` 的 0.5 倍；没有套接字、线程或文件",
                ),
            )
        },
        short="--rounds 2",
    ),
    Command(
        "money",
        {
            "R44": Promise(
                en=Wording(
                    "What the ledger reckons is what Hugging Face bills.",
                    "within 0.1 %, at most where tokens were cached",
                ),
                zh=Wording(
                    "账本算出的金额就是 Hugging Face 账单上的金额。",
                    "误差在 0.1 % 以内，有缓存的 token 时为上限",
                ),
            )
        },
        short="--calls 200",
        seeded=True,
    ),
    Command(
        "pin",
        {
            "R45": Promise(
                en=Wording(
                    "A conversation stays with the provider that has read it before.",
                    ">= 95 % of what can be hit is hit",
                ),
                zh=Wording(
                    "对话留在先前读过它的服务商那里。",
                    "可以命中的，命中 >= 95 %",
                ),
            )
        },
        short="--conversations 3",
        seeded=True,
    ),
    Command(
        "longstreams",
        {
            "R46": Promise(
                en=Wording(
                    "Callers of long answers do not wait for each other.",
                    "last first token within a round trip and 100 ms here, 3 round"
                    " trips elsewhere; all in 1.05 times one stream; beyond the limit"
                    " two waves",
                ),
                zh=Wording(
                    "长回答的调用者不必互相等待。",
                    "最后一个首 token：在本机不超过一个往返加 100 ms，在别处不超过 3"
                    " 个往返；全部在单个流的 1.05 倍时间内；超出上限时分两批",
                ),
            )
        },
        short="--seconds 3 --elsewhere",
    ),
    Command(
        "busy503",
        {
            "R47": Promise(
                en=Wording(
                    "An endpoint that turns callers away is busy, and is not told as"
                    " asleep.",
                    "0 told so, 0 probes, < 10 % turned away",
                ),
                zh=Wording(
                    "拒绝调用者的端点是忙，不会被说成休眠。",
                    "0 次这样说，0 次探测，被拒绝的 < 10 %",
                ),
            )
        },
        short="--callers 300 --capacities 4",
        seeded=True,
    ),
    Command(
        "doors",
        {
            "R48": Promise(
                en=Wording(
                    "Every request that leaves is counted, by whatever door.",
                    "ledger == server at each",
                ),
                zh=Wording(
                    "发出的每个请求都会计入，无论从哪个入口发出。",
                    "每个入口都是账本 == 服务器",
                ),
            )
        },
        short="--library",
    ),
    Command(
        "alerts",
        {
            "budgets": Promise(
                en=Wording(
                    "Of a budget nobody uses more than there is, from however many"
                    " programs, and each alert is told once.",
                    "10 sent of 64; 12 alerts, each once",
                ),
                zh=Wording(
                    "一笔预算的用量不会超过它的总额，无论有多少个程序；"
                    "每个告警只发一次。",
                    "64 个中发出 10 个；12 个告警，每个一次",
                ),
            )
        },
    ),
)
