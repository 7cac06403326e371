namespace QuickStart.Verification;

/// <summary>How long a run waits for what may never come. Tests wait less.</summary>
/// <param name="BrokerGone">After so long without an answer from any broker the run gives up.</param>
/// <param name="OthersQuiet">
/// For so long nothing may change before a broker that ends with this process stops waiting for other demos: longer than a rebalance of the
/// embedded broker (5 s), in which nothing changes either.
/// </param>
internal sealed record WaitLimits(TimeSpan BrokerGone, TimeSpan OthersQuiet)
{
    public static WaitLimits Default { get; } = new(BrokerGone: TimeSpan.FromSeconds(30), OthersQuiet: TimeSpan.FromSeconds(8));
}
