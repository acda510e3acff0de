"""Chinese: what each error means that arose on this side, or on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.doctor.description import ErrorDescription

_CHECK: Final = (("请运行 `bytebuddy-hf config check`。",),)
_AGAIN: Final = (("请重试。",),)
_BASE: Final = (("请检查 apiBase。",),)

HERE: Final[Mapping[str, ErrorDescription]] = {
    "ByteBuddyError": ErrorDescription("错误", "出错了。", _AGAIN),
    "ConfigError": ErrorDescription("配置有误", "配置文件有误。", _CHECK),
    "ConfigNotFound": ErrorDescription(
        "没有此文件",
        "无法读取所指定的配置文件。",
        (("请运行 `bytebuddy-hf config init` 新建。",),),
    ),
    "ConfigInvalid": ErrorDescription(
        "配置有错误", "每个错误都列出了文件、行和列。", _CHECK
    ),
    "UnsetVariable": ErrorDescription(
        "变量未设置",
        "配置中的条目引用了没有值的环境变量。",
        (("请设置 {variable}。",), _CHECK[0]),
    ),
    "UntrustedProject": ErrorDescription(
        "项目未受信任",
        "该文件夹中的文件要把密钥发送到您尚未同意的地方。",
        (("请先阅读该文件；同意则运行 `bytebuddy-hf config trust`。",),),
    ),
    "RegistryError": ErrorDescription("模型", "所要的不存在。", _CHECK),
    "UnknownName": ErrorDescription("没有此名称", "没有叫这个名称的。", _CHECK),
    "UnknownModel": ErrorDescription(
        "没有此条目",
        "配置中没有这个名称的条目。",
        (("请运行 `bytebuddy-hf models` 查看。",),),
    ),
    "UnknownProvider": ErrorDescription(
        "未安装该 provider",
        "条目所指的 provider 没有任何已安装的插件提供。",
        (("请安装相应的包，或更正条目的 provider。",),),
    ),
    "NoModelForRole": ErrorDescription(
        "没有担任该角色的模型",
        "配置中没有条目具有该角色。",
        (("请在某个条目的 roles 中加入该角色。",),),
    ),
    "ProviderFailed": ErrorDescription(
        "插件出错",
        "插件自己的代码在打开条目时出错。",
        (("请告知其作者；--debug 可显示出错之处。",),),
    ),
    "Closed": ErrorDescription(
        "已关闭",
        "模型、注册表或运行时在关闭之后被使用。",
        (("请在使用期间保持打开（async with）。",),),
    ),
    "RequestError": ErrorDescription("未发送", "请求在本地被拒绝。", _AGAIN),
    "InvalidModelId": ErrorDescription(
        "不是模型名称",
        "名称中有不允许的字符或形式。",
        (("请按 huggingface.co 的写法：owner/name。",),),
    ),
    "InvalidEndpoint": ErrorDescription(
        "地址不可用", "apiBase 不是 http 或 https 地址。", _BASE
    ),
    "InsecureEndpoint": ErrorDescription(
        "令牌会明文传输",
        "通过 http 发往其他机器的内容可能被窃取。",
        (("请把 apiBase 写成 https://。",),),
    ),
    "InvalidOption": ErrorDescription(
        "选项无效", "选项超出范围，或消息格式有误。", _CHECK
    ),
    "UnsupportedRole": ErrorDescription(
        "该模型做不到",
        "该模型或该地址背后的服务器无法完成所请求的操作。",
        (("请换用适合的模型；错误信息写明了该模型能做什么。",),),
    ),
    "MissingToken": ErrorDescription(
        "找不到令牌",
        "该端点需要令牌，而条目、环境变量和令牌文件中都没有。",
        (("请运行 `bytebuddy-hf login`，或设置 HF_API_KEY。",),),
    ),
    "InvalidToken": ErrorDescription(
        "不是令牌",
        "找到的内容含有空格、换行或其他字符。",
        (("请从 {tokens} 重新复制。",),),
    ),
    "Overloaded": ErrorDescription(
        "等待的请求过多",
        "等待的调用超过了 maxQueue。",
        (("请减少并发，或增大 requestOptions.maxQueue。",),),
    ),
    "ColdStartTimeout": ErrorDescription(
        "未能及时就绪",
        "模型没有在 coldStartTimeout 内就绪。",
        (("请增大 requestOptions.coldStartTimeout，或稍后再试。",),),
    ),
    "CallTimeout": ErrorDescription("超时", "调用用时过长。", _AGAIN),
    "ConnectTimeout": ErrorDescription(
        "连接超时",
        "服务器没有在 connectTimeout 内接受连接。",
        (("请检查地址、网络和代理。",),),
    ),
    "FirstByteTimeout": ErrorDescription(
        "迟迟没有应答",
        "应答没有在 firstByteTimeout 内开始。",
        (("请增大 requestOptions.firstByteTimeout，或减少词元数。",),),
    ),
    "DeadlineExceeded": ErrorDescription(
        "超过期限",
        "整个调用超过了 timeout。",
        (("请使用流式输出、减少词元数，或增大 requestOptions.timeout。",),),
    ),
    "IdleTimeout": ErrorDescription(
        "流没有动静",
        "在 idleTimeout 内没有收到任何字节；之前的文本保存在 partial 中。",
        _AGAIN,
    ),
    "NoDataTimeout": ErrorDescription(
        "只有心跳没有数据", "流长时间只发送心跳，没有文本。", _AGAIN
    ),
    "ConnectionFailed": ErrorDescription("无法连接", "无法到达服务器。", _BASE),
    "ConnectionRefused": ErrorDescription(
        "连接被拒绝",
        "机器可达，但该端口无人监听。",
        (("请启动服务器，或更正 apiBase 中的端口。",),),
    ),
    "HostUnreachable": ErrorDescription(
        "无法到达主机",
        "网络或 VPN 不通往该地址。",
        (("请检查网络；如需代理，请在 requestOptions.proxy 中指定。",),),
    ),
    "HostNotFound": ErrorDescription("没有此主机", "该主机名不存在。", _BASE),
    "HostLookupFailed": ErrorDescription(
        "域名解析失败",
        "域名服务没有应答；该名称可能存在。",
        (("请检查网络连接后重试。",),),
    ),
    "TlsFailed": ErrorDescription(
        "无法建立安全连接",
        "证书或握手被拒绝。",
        (("请检查 apiBase 应以 http:// 还是 https:// 开头。",),),
    ),
    "CertificateExpired": ErrorDescription(
        "证书过期",
        "服务器的证书已过期，或本机时钟有误。",
        (("请检查时钟；否则服务器需要新的证书。",),),
    ),
    "CertificateForOtherHost": ErrorDescription(
        "证书属于另一主机",
        "服务器的证书不包含 apiBase 中的主机名。",
        (("请把 apiBase 的主机改为证书中的名称。",),),
    ),
    "UnknownAuthority": ErrorDescription(
        "证书颁发者未知",
        "证书为自签名，或其颁发者不受本机信任。",
        (("请在 requestOptions.caBundlePath 中指定贵公司或服务器的颁发者。",),),
    ),
    "ClientCertificateNeeded": ErrorDescription(
        "需要客户端证书",
        "服务器要求本方出示证书。",
        (("请在 requestOptions.clientCertificate 中指定。",),),
    ),
    "ClientCertificateRefused": ErrorDescription(
        "客户端证书被拒绝",
        "服务器不接受本方的证书。",
        (("请与服务器所有者核对 requestOptions.clientCertificate。",),),
    ),
    "ProxyFailed": ErrorDescription(
        "代理不通",
        "代理无法到达，或不予放行。",
        (("请检查 requestOptions.proxy 和 HTTPS_PROXY。",),),
    ),
    "ProxyAuthenticationFailed": ErrorDescription(
        "代理要求验证身份",
        "代理拒绝了用户名和密码，或没有收到。",
        (("请写入代理地址，在主机名之前：USER:PASSWORD@",),),
    ),
    "ConnectionLost": ErrorDescription(
        "连接中断", "应答尚未完整，连接就断开了。", _AGAIN
    ),
    "ResponseError": ErrorDescription("应答不可用", "收到了应答，但无法使用。", _BASE),
    "MalformedResponse": ErrorDescription(
        "不符合协议", "应答的形式与协议不符：常见的是代理的网页。", _BASE
    ),
    "ResponseTooLarge": ErrorDescription(
        "应答过大", "应答超过本客户端的上限。", (("请一次少要一些。",),)
    ),
    "StreamInterrupted": ErrorDescription(
        "流中断", "流没有结束标记就结束了；之前的文本保存在 partial 中。", _AGAIN
    ),
    "ApplyFailed": ErrorDescription(
        "改动无法应用",
        "建议中有一部分在文本里找不到位置；没有改动任何内容。",
        (("请让模型给出统一 diff 或完整文件，再应用。",),),
    ),
    "StreamFailed": ErrorDescription(
        "流中出错", "服务器开始回答之后报告了错误。", _AGAIN
    ),
}
