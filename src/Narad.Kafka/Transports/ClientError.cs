using System.Globalization;
using System.Text.RegularExpressions;
using Confluent.Kafka;

namespace Narad.Kafka.Transports;

/// <summary>
/// A line in which librdkafka says why a connection failed, taken apart: <c>sasl_ssl://host:9094/bootstrap: reason (after 12ms in state UP)</c>.
/// </summary>
/// <param name="Code">The client's code; <see cref="ErrorCode.Local_Fail"/> where it was only logged.</param>
/// <param name="Line">All of it.</param>
/// <param name="Address">Where to; null where the line names no broker.</param>
/// <param name="IsBootstrap">Whether the address is from the settings; else a broker named it.</param>
/// <param name="State">How far the connection had got, such as <c>CONNECT</c>, <c>SSL_HANDSHAKE</c>, <c>APIVERSION_QUERY</c>, <c>AUTH_REQ</c>,
/// <c>UP</c>.</param>
/// <param name="StateFor">For how long it had been there.</param>
internal sealed partial record ClientError(ErrorCode Code, string Line, string? Address, bool IsBootstrap, string? State, TimeSpan StateFor)
{
    /// <summary>What a client does not repeat for so long is over: it does not say so.</summary>
    public static readonly TimeSpan Lapse = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Whether an error only says that a broker is away. Every client of the service says so of every broker; <see cref="ConnectionMonitor"/> and <see
    /// cref="UnreachableBrokers"/> log it once.
    /// </summary>
    public static bool IsConnection(ErrorCode code) => code is ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown or ErrorCode.Local_Resolve;

    /// <summary>Takes a line apart; what is not in it is null. Never throws.</summary>
    public static ClientError Parse(ErrorCode code, string line)
    {
        var text = Thread().Replace(line, "", 1);
        var from = Broker().Match(text);
        var state = After().Match(text);
        return new ClientError(
            code,
            text,
            from.Success ? from.Groups["address"].Value : null,
            from.Success && from.Groups["node"].ValueSpan is "bootstrap",
            state.Success ? state.Groups["state"].Value : null,
            state.Success && int.TryParse(state.Groups["ms"].ValueSpan, CultureInfo.InvariantCulture, out var ms) ? TimeSpan.FromMilliseconds(ms)
                : TimeSpan.Zero);
    }

    public bool Says(string phrase) => Line.Contains(phrase, StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex(@"^\[thrd:[^\]]*\]: ", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Thread();

    [GeneratedRegex(@"^(?:[a-z_]+://)?(?<address>[^\s/]+:\d+)/(?<node>[^\s:]+): |^(?<node>GroupCoordinator|TxnCoordinator): (?<address>[^\s/]+:\d+): ",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Broker();

    [GeneratedRegex(
        @"\(after (?<ms>\d+)ms in state (?<state>[A-Z_]+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex After();
}
