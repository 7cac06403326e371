using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// Knows whether a broker answers: asks one every <see cref="KafkaOptions.ProbeInterval"/> from the first connect on, and says so when that changes. One probe
/// without an answer is asked again
/// at once: a single slow answer is no outage. With the default interval of 3 s a broker's death or return shows within 5 s. Thread-safe.
/// </summary>
internal sealed class ConnectionMonitor : IAsyncDisposable
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SecondProbeTimeout = TimeSpan.FromSeconds(0.8);
    private static readonly TimeSpan SecondProbeOfRefusedTimeout = TimeSpan.FromSeconds(0.3);
    private static readonly TimeSpan SearchInterval = TimeSpan.FromSeconds(1);   // while no broker answers, so that its return shows in time

    private const string Outage = "outage";

    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private Task _probing = Task.CompletedTask;
    private readonly OncePerKind<string> _news;   // by kind of fault, until a broker answers
    private volatile bool _connected;

    public ConnectionMonitor(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        _options = options;
        _diagnostics = diagnostics;
        _logger = diagnostics.Logger<ConnectionMonitor>();
        _news = new OncePerKind<string>(diagnostics.Time);
    }

    public bool IsConnected => _connected;

    /// <summary>Called once, with a transport that was just reached, or that is allowed not to be.</summary>
    public void Start(ITransport transport, bool reached)
    {
        if (transport.Mode is KafkaMode.Console)
        {
            return;
        }

        _connected = reached;
        if (!reached)
        {
            Met(transport.ConnectionFault);   // logged by whoever tried to connect
        }

        _probing = Task.Run(() => ProbeAsync(transport, _stopping.Token));
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _probing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _connected = false;
        _stopping.Dispose();
    }

    private async Task ProbeAsync(ITransport transport, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var answered = await transport.ProbeAsync(ProbeTimeout, cancellationToken).ConfigureAwait(false)
                || (_connected && await transport.ProbeAsync(SecondProbe(transport), cancellationToken).ConfigureAwait(false));
            if (cancellationToken.IsCancellationRequested)
            {
                return;
            }

            Say(transport, answered);
            _connected = answered;
            var pause = _connected || _options.ProbeInterval < SearchInterval ? _options.ProbeInterval : SearchInterval;
            await Task.Delay(pause, _diagnostics.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Where connections fail there is nothing to wait for.
    private static TimeSpan SecondProbe(ITransport transport) =>
        transport.ConnectionFault is null or { Kind: ConnectionFaultKind.NoAnswer } ? SecondProbeTimeout : SecondProbeOfRefusedTimeout;

    // Each kind of trouble once for as long as it lasts, and now and then again: what is refused is tried again and again.
    private void Say(ITransport transport, bool answered)
    {
        var fault = transport.ConnectionFault;
        if (answered)
        {
            _news.Over();
            if (_connected)
            {
                _diagnostics.Unreachable.Tell();
            }
            else
            {
                _diagnostics.Unreachable.Clear();
                ServiceLog.ConnectionBack(_logger, transport.BootstrapServers);
            }

            return;
        }

        _diagnostics.Unreachable.Clear();
        if (_connected)
        {
            Met(fault);
            ServiceLog.ConnectionLost(_logger, transport.BootstrapServers, fault is null ? "." : $": {fault}");
        }
        else if (fault is { IsRefusal: true })
        {
            if (_news.IsDue(fault.Kind.ToString()))
            {
                ServiceLog.ConnectionRefused(_logger, transport.BootstrapServers, fault.ToString());
            }
        }
        else if (_news.IsDue(Outage))
        {
            ServiceLog.ConnectionLost(_logger, transport.BootstrapServers, fault is null ? "." : $": {fault}");
        }
    }

    private void Met(ConnectionFault? fault)
    {
        _news.IsDue(Outage);
        if (fault is not null)
        {
            _news.IsDue(fault.Kind.ToString());
        }
    }
}
