using Confluent.Kafka;

namespace Narad.Kafka.Transports;

/// <summary>
/// What a transport's clients say against their connections, explained. Of what is said at the same time the kind counts that connecting meets last: one
/// broker of a list may be off while another one refuses the password. Thread-safe; called on librdkafka's threads, and never throws.
/// </summary>
internal sealed class ConnectionTroubles(ConnectionFacts facts)
{
    private ConnectionFault? _main;
    private volatile bool _worked;

    /// <summary>What is to be told; null while all is well, or nothing is known.</summary>
    public ConnectionFault? Main => Volatile.Read(ref _main);

    public ConnectionFacts Facts => facts;

    /// <summary>For a client's error handler.</summary>
    public ConnectionFault? Add(Error error) => Add(ConnectionFaults.Explain(error.Code, error.Reason ?? "", facts, _worked));

    /// <summary>For a client's log handler: a listener that closes the connection shows there alone.</summary>
    public ConnectionFault? Add(LogMessage line) =>
        string.Equals(line.Facility, "FAIL", StringComparison.Ordinal) ? Add(ConnectionFaults.Explain(ErrorCode.Local_Fail, line.Message, facts, _worked))
        : null;

    /// <summary>Of the same kind the first is kept.</summary>
    public ConnectionFault? Add(ConnectionFault? fault)
    {
        while (fault is not null && Main is var main && (main is null || main.Kind < fault.Kind) && Interlocked.CompareExchange(ref _main, fault, main) != main)
        {
            // another thread was quicker: looked at again
        }

        return fault;
    }

    /// <summary>More is known of a kind that was added before; nothing that says more meanwhile is replaced.</summary>
    public void Refine(ConnectionFaultKind known, ConnectionFault refined)
    {
        while (Main is { } main && main.Kind == known && Interlocked.CompareExchange(ref _main, refined, main) != main)
        {
            // another thread was quicker: looked at again
        }
    }

    /// <summary>A broker answered.</summary>
    public void Clear()
    {
        _worked = true;
        Volatile.Write(ref _main, null);
    }
}
