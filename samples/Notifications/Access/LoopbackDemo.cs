using System.Net;
using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace Notifications.Access;

/// <summary>
/// Decides where <c>?userId=</c> alone is enough: with the embedded broker, from this machine, to an address of this machine. Thread-safe.
/// </summary>
internal sealed class LoopbackDemo(IOptions<KafkaOptions> kafka)
{
    /// <summary>Whether any request may do without a token.</summary>
    public bool IsPossible => kafka.Value.Mode is KafkaMode.Embedded;

    public bool Allows(HttpContext http) => IsPossible
        && IsLoopback(http.Connection.RemoteIpAddress)
        && IsLoopback(http.Connection.LocalIpAddress)
        && IsLoopbackName(http.Request.Host.Host)   // else another site's name may point to this machine
        && !http.Request.Headers.ContainsKey("X-Forwarded-For")   // a proxy on this machine passes on what comes from elsewhere
        && !http.Request.Headers.ContainsKey("Forwarded");

    private static bool IsLoopback(IPAddress? address) => address is not null && IPAddress.IsLoopback(address);

    private static bool IsLoopbackName(string host) =>
        host is "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
