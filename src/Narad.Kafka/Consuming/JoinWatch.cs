namespace Narad.Kafka.Consuming;

/// <summary>
/// Finds a client that stays outside its group although nothing keeps it out. It happens where a coordinator hangs for some seconds and comes back: the client
/// may keep a connection to it that never opens again, or wait for an answer that was lost. Only another client helps. Used by the poll thread.
/// </summary>
/// <remarks>A group may be slow for a good reason: a member that polls late holds up everybody. So each further client is given twice the time.</remarks>
/// <param name="isOutside">Whether the client wants to be in and is no member; null where that says nothing of the client: no broker answers, or one refused
/// it. Asked once a second.</param>
/// <param name="time">The clock.</param>
internal sealed class JoinWatch(Func<bool?> isOutside, TimeProvider time)
{
    public static readonly TimeSpan FirstTimeout = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromMinutes(8);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private TimeSpan _timeout = FirstTimeout;
    private long _looked = time.GetTimestamp();
    private long? _outsideSince;

    /// <summary>How long the client was outside when it was taken for stuck.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Whether the client is to be replaced now; whoever is told so replaces it.</summary>
    public bool IsStuck()
    {
        if (time.GetElapsedTime(_looked) < Interval)
        {
            return false;
        }

        _looked = time.GetTimestamp();
        if (isOutside() is not { } isOut)
        {
            _outsideSince = null;
            return false;
        }

        if (!isOut)
        {
            (_outsideSince, _timeout) = (null, FirstTimeout);
            return false;
        }

        _outsideSince ??= _looked;
        Waited = time.GetElapsedTime(_outsideSince.Value, _looked);
        if (Waited < _timeout)
        {
            return false;
        }

        _outsideSince = null;
        _timeout = _timeout * 2 < LongestTimeout ? _timeout * 2 : LongestTimeout;
        return true;
    }
}
