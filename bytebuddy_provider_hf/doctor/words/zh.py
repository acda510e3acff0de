"""Chinese: what each error answer means, and every next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.doctor.description import ErrorDescription
from bytebuddy_provider_hf.doctor.words.zh_here import HERE

_SERVED: Final = (
    "目前提供 {model} 的服务商：{served_by}。可在模型名后指定：{model}:{provider}",
    "目前无人提供 {model} 的对话服务；名称相近且可用的有：{neighbours}",
    "[unserved] 目前无人提供 {model} 的对话服务：请换一个，或在 {endpoints} 部署。",
)
_NEW: Final = "在 {new_token} 新建令牌，然后运行 `bytebuddy-hf login`。"
_AGAIN: Final = ("请在 {wait}后重试。", "请稍后重试。")
_STATUS: Final = ("服务状态：{status_page}",)

_ANSWERS: Final[Mapping[str, ErrorDescription]] = {
    "APIError": ErrorDescription("错误应答", "服务器返回了错误。", (_AGAIN,)),
    "BadRequest": ErrorDescription(
        "请求有误",
        "服务器读懂了请求，但拒绝执行。",
        (("请按服务器的说明修改请求。",),),
    ),
    "InputRefused": ErrorDescription(
        "输入无法使用",
        "输入缺失、为空、损坏，或不是该模型任务所需的类型。",
        (("请在 {page} 查看该任务需要什么输入。", "请查看该模型的任务需要什么输入。"),),
    ),
    "ModelNotSupported": ErrorDescription(
        "没有服务商提供此模型",
        "您账户启用的服务商都不提供此模型：可能是名称有误、服务商被关闭，或无人部署。",
        (
            ("请核对模型名称，或在 {providers} 启用服务商。",),
            _SERVED,
        ),
    ),
    "RouteNotSupported": ErrorDescription(
        "此路由不提供该模型",
        "模型存在，但该服务器或服务商在此处不提供它："
        "hf-inference 自 2025 年 7 月起不再提供大语言模型；"
        "对话模型没有补全路由；为某一任务启动的服务器不提供其他任务。",
        (
            (
                (
                    "[router] 请删除 apiBase（或写 https://router.huggingface.co/v1 ）"
                    "，由路由服务选择服务商。"
                ),
                "请换一个路由或角色，或以相应选项启动服务器。",
            ),
            _SERVED,
        ),
    ),
    "ModelTooLarge": ErrorDescription(
        "模型过大",
        "共享服务不会加载这么大的模型，等待没有用。",
        (
            ("请改用 https://router.huggingface.co/v1 ，或在 {endpoints} 部署。",),
            _SERVED,
        ),
    ),
    "EndpointPaused": ErrorDescription(
        "端点已暂停",
        "有人暂停了该端点；它与休眠不同，不会因请求而唤醒。",
        (("请由所有者在 {endpoints} 恢复，或运行 `hf endpoints resume NAME`。",),),
    ),
    "AuthenticationFailed": ErrorDescription(
        "身份验证失败", "服务器不知道是谁在请求。", ((_NEW,),)
    ),
    "TokenInvalid": ErrorDescription(
        "令牌被拒绝",
        "已发送令牌，但服务器不认可：可能有误、过期、已删除，或属于别的服务。",
        (
            (
                (
                    "[dedicated] 请使用端点所有者的令牌，且具有 "
                    "inference.endpoints.infer.write 权限（当前令牌来自 {found_in}）。"
                ),
                "[huggingface] 请更换 {found_in} 中的令牌：" + _NEW,
                "请把 {found_in} 换成 {endpoint} 认可的密钥。",
                (
                    "[dedicated] 请使用端点所有者的令牌，且具有 "
                    "inference.endpoints.infer.write 权限。"
                ),
                "[huggingface] 请检查令牌：" + _NEW,
                "请在该条目的 apiKey 中填写服务器自己的密钥。",
            ),
            ("您的全部令牌：{tokens}",),
        ),
    ),
    "TokenMissing": ErrorDescription(
        "未发送令牌",
        "该服务器要求令牌或密钥。",
        (
            (
                "[huggingface] 请" + _NEW,
                "请在条目的 apiKey 中填写服务器自己的密钥。",
            ),
        ),
    ),
    "QuotaExhausted": ErrorDescription(
        "额度已用完",
        "账户本月的推理额度已用完；每月 1 日恢复或购买之前，重试没有用。",
        (
            ("在 {billing} 购买额度，或在 {pro} 订阅 PRO。",),
            ("自己的端点不消耗该额度：{endpoints}",),
        ),
    ),
    "PermissionDenied": ErrorDescription(
        "拒绝访问",
        "服务器知道是谁在请求，但拒绝了。",
        (("请在 {tokens} 检查令牌的权限。",),),
    ),
    "MissingPermission": ErrorDescription(
        "令牌缺少权限",
        "令牌有效，但没有调用推理服务的权限（inference.serverless.write）。",
        (
            (
                (
                    "请给 {found_in} 的令牌加上“Make calls to Inference Providers”，"
                    "或新建一个：{new_token}"
                ),
                "请新建具有“Make calls to Inference Providers”权限的令牌：{new_token}",
            ),
            ("该权限须适用于：{owner}",),
            ("已有令牌可在 {tokens} 修改。",),
        ),
    ),
    "GatedPermission": ErrorDescription(
        "令牌不可读取受限模型",
        "账户也许有权访问，但该细粒度令牌没有这项权限。",
        (("请在 {tokens} 编辑令牌，勾选读取公开受限仓库的权限。",),),
    ),
    "GatedModel": ErrorDescription(
        "受限模型",
        "模型作者要求先接受许可协议，而该令牌的账户尚未接受。",
        (
            (
                "请用该令牌的账户登录，在 {page} 接受许可协议。",
                "请用该令牌的账户登录，在模型页面接受许可协议。",
            ),
            ("申请进度：{gated_repos}",),
        ),
    ),
    "AccessPending": ErrorDescription(
        "访问申请待批准",
        "已申请访问该受限模型，由作者人工审核。",
        (("请等待作者批准；进度见 {gated_repos}",),),
    ),
    "OrganizationPolicy": ErrorDescription(
        "令牌须经组织批准",
        "该组织要求令牌在使用前得到批准。",
        (
            (
                "请让组织管理员批准 {found_in} 中的令牌。",
                "请让组织管理员批准该令牌。",
            ),
        ),
    ),
    "TokenRevoked": ErrorDescription(
        "组织已撤销该令牌",
        "组织管理员取消了该令牌对组织的访问权；在别处它可能仍然有效。",
        (("请联系组织管理员，或在 {tokens} 新建令牌。",),),
    ),
    "ProOnly": ErrorDescription(
        "仅限订阅用户",
        "旧的共享服务只向 PRO 账户提供此模型。",
        (("请在 {pro} 订阅，或换一个模型。",), _SERVED),
    ),
    "ModelDisabled": ErrorDescription(
        "模型已被停用",
        "Hugging Face 对所有人停用了该仓库。",
        (("请换一个模型；原因见 {page}", "请换一个模型。"),),
    ),
    "ModelNotFound": ErrorDescription(
        "没有此模型",
        "服务器没有这个名称的模型：拼写有误、已改名、为私有，或不存在。",
        (
            (
                "请在 https://huggingface.co/models 核对 {model}",
                "请核对模型名称和 apiBase。",
            ),
            _SERVED,
        ),
    ),
    "WrongServedModel": ErrorDescription(
        "服务器提供的是另一个模型",
        "vLLM 和 transformers serve 只接受启动时的模型名；专用端点上即仓库名称。",
        (
            (
                "请把条目的 model 改为：{served}",
                "请把条目的 model 改为 {endpoint} 的 GET /v1/models 所列名称。",
                "请把条目的 model 改为服务器提供的名称。",
            ),
        ),
    ),
    "RouteNotFound": ErrorDescription(
        "没有此地址",
        "该路径无人应答：地址有误，或模型没有部署在那里。",
        (
            (
                "[router] 请核对模型名称；删除 apiBase 可由路由服务选择服务商。",
                (
                    "请检查 apiBase：OpenAI 风格的服务器写 https://HOST/v1 ，"
                    "其他写 https://HOST 。"
                ),
            ),
            _SERVED,
        ),
    ),
    "ServiceRetired": ErrorDescription(
        "服务已关闭",
        "api-inference.huggingface.co 已于 2025 年 11 月关闭，所有请求都返回 410。",
        (
            ("请删除条目中的 apiBase，改用 https://router.huggingface.co/v1 。",),
            _SERVED,
        ),
    ),
    "RequestTooLarge": ErrorDescription(
        "请求过大",
        "请求的字节数超过服务器的上限。",
        (("请缩短提示，减少或缩小图片。",),),
    ),
    "BatchTooLarge": ErrorDescription(
        "一次的文本过多",
        "服务器限制一次请求中的文本数量。",
        (("每次最多发送 {limit} 条文本。", "每次少发送一些文本。"),),
    ),
    "UnprocessableRequest": ErrorDescription(
        "请求不合适",
        "服务器能读懂请求，但其中有它做不到的内容。",
        (("请按服务器的说明修改选项或缩短提示。",),),
    ),
    "ContextTooLong": ErrorDescription(
        "超出上下文窗口",
        "提示与回答共用模型的上下文窗口，二者之和或提示本身超出了它。",
        (
            (
                "请把 maxTokens 设为 {fits} 以内：窗口为 {limit}，提示占 {given}。",
                "请缩短提示：它有 {given} 个词元，上限为 {limit}。",
                "总共最多 {limit} 个词元。",
                "请缩短提示，或减小 maxTokens。",
            ),
        ),
    ),
    "ParameterRefused": ErrorDescription(
        "参数被拒绝",
        "服务器不认识某个选项，或其值超出范围。",
        (
            (
                "请去掉或修改 {parameters}：服务器最多接受 {limit}。",
                "请去掉或修改 {parameters}。",
                "请去掉服务器所指的参数。",
            ),
        ),
    ),
    "StreamingNotSupported": ErrorDescription(
        "不支持流式输出",
        "该模型只能给出完整的回答。",
        (("请一次取得完整回答（await）。",),),
    ),
    "BodyRefused": ErrorDescription(
        "服务器要求另一种请求",
        "请求的成员与服务器所用的协议不符。",
        (
            (
                "请检查 apiBase：服务器缺少 {field}，它使用另一种协议。",
                "请检查 apiBase：该服务器使用另一种协议。",
            ),
        ),
    ),
    "TemplateMissing": ErrorDescription(
        "没有对话模板",
        "基础模型没有把消息变成文本的模板。",
        (("请用 `bytebuddy-hf complete` 续写，或选择它的 instruct 版本。",),),
    ),
    "TemplateFailed": ErrorDescription(
        "对话模板拒绝这些消息",
        "该模型的模板只允许特定的角色和顺序。",
        (("请让 user 和 assistant 交替出现；system 放在最前，或省略。",),),
    ),
    "ToolsRefused": ErrorDescription(
        "无法这样使用工具",
        "服务器启动时没有启用工具调用，或不支持这种组合。",
        (("请去掉工具，或启用工具调用后重启服务器。",),),
    ),
    "ImagesNotSupported": ErrorDescription(
        "只支持文本",
        "向只读文本的模型发送了图片。",
        (("请去掉图片，或选择视觉模型。",),),
    ),
    "RateLimited": ErrorDescription(
        "请求过于频繁",
        "在一段时间内，请求超过了账户、地址或服务商的限额。",
        (
            (
                "请等待 {wait}，或减少并发请求（maxConcurrency）。",
                "请等待，或减少并发请求（maxConcurrency）。",
            ),
            ("PRO 订阅可提高 Hugging Face 的限额：{pro}",),
        ),
    ),
    "AnonymousLimit": ErrorDescription(
        "匿名限额", "没有令牌时只回答极少的请求。", (("请" + _NEW,),)
    ),
    "ModelOverloaded": ErrorDescription(
        "模型队列已满",
        "服务器正常，但待处理的请求太多。",
        (
            (
                "请在 {wait}后重试，或减少并发请求（maxConcurrency）。",
                "请稍后重试，或减少并发请求（maxConcurrency）。",
            ),
        ),
    ),
    "GenerationFailed": ErrorDescription(
        "生成失败",
        "服务器后面的工作进程在生成时出错。",
        (("请重试；若再次失败，请减少词元数，或查看服务器日志。",),),
    ),
    "OutOfMemory": ErrorDescription(
        "显存不足",
        "提示、回答和其他请求超出了显存。",
        (("请减少词元数、缩短提示，或为端点换更大的 GPU。",),),
    ),
    "OutputRejected": ErrorDescription(
        "模型的输出无法解析",
        "服务器需要工具调用或 JSON，模型给出的却不是。",
        (("请重试，或不用工具和 response_format。",),),
    ),
    "UnexpectedStatus": ErrorDescription(
        "不是应答", "该状态码不带模型的回答。", (("请检查 apiBase。",),)
    ),
    "Redirected": ErrorDescription(
        "另有地址",
        "服务器要求转到别处；为保护令牌，不跟随重定向。",
        (("请检查 apiBase：服务器指向 {location}", "请检查 apiBase。"),),
    ),
    "ServerError": ErrorDescription(
        "服务器出错", "服务器一侧出了故障。", (_AGAIN, _STATUS)
    ),
    "ModelLoading": ErrorDescription(
        "尚未就绪",
        "模型正在加载，或休眠的端点正在唤醒；首个请求会启动它。",
        (
            (
                (
                    "[dedicated] 请等待半分钟到几分钟；"
                    "要等更久，请增大 requestOptions.coldStartTimeout。"
                ),
                "请等待约 {estimate}；要更久，请增大 requestOptions.coldStartTimeout。",
                "请等待加载完成；requestOptions.coldStartTimeout 决定等多久。",
            ),
        ),
    ),
    "ServerOverloaded": ErrorDescription(
        "服务器过载",
        "服务器在运行，但队列已满。",
        (("请等待 {wait}，或换一个服务商。", "请稍候，或换一个服务商。"),),
    ),
    "ServerUnhealthy": ErrorDescription(
        "服务器不健康",
        "它自己的健康检查失败：工作进程不在了。",
        (("请查看服务器日志并重启。",),),
    ),
    "ServerBusy": ErrorDescription(
        "模型太忙",
        "模型在一两分钟内没有空闲处理该请求；这是以 500 报告的超时。",
        (("请使用流式输出、减少词元数，或稍后再试。",),),
    ),
    "PipelineFailed": ErrorDescription(
        "模型的代码出错",
        "模型外围的代码在处理该输入时出错；详情见应答中的 warnings。",
        (("请检查所发送的内容：同样的输入多半会再次失败。",),),
    ),
    "GenerationIncomplete": ErrorDescription(
        "回答中断", "服务器在回答途中失去了工作进程。", (_AGAIN,)
    ),
    "BadGateway": ErrorDescription(
        "网关连不上服务器", "网关没有从后面的服务器得到可用的应答。", (_AGAIN, _STATUS)
    ),
    "GatewayTimeout": ErrorDescription(
        "网关超时",
        "回答所需的时间超过网关的等待；流式回答会立即开始，不会这样中断。",
        (("请使用流式输出，或减少词元数。",),),
    ),
}

WORDS: Final[Mapping[str, ErrorDescription]] = {**HERE, **_ANSWERS}
