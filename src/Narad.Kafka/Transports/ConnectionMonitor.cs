using Microsoft.Extensions.Logging;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// Knows whether a broker answers: asks one every <see cref="KafkaOptions.ProbeInterval"/> from the first connect on, and says so when that changes.
/// With the default interval of 3 s a broker's death or return shows within 5 s. Thread-safe.
/// </summary>
internal sealed class ConnectionMonitor : IAsyncDisposable
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(1.2);
    private static readonly TimeSpan SearchInterval = TimeSpan.FromSeconds(1);   // while no broker answers, so that its return shows in time

    private readonly KafkaOptions _options;
    private readonly KafkaDiagnostics _diagnostics;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private Task _probing = Task.CompletedTask;
    private readonly HashSet<ConnectionFaultKind?> _said = [];   // the probing task's alone, but for Start, which comes before it
    private volatile bool _connected;

    public ConnectionMonitor(KafkaOptions options, KafkaDiagnostics diagnostics)
    {
        _options = options;
        _diagnostics = diagnostics;
        _logger = diagnostics.Logger<ConnectionMonitor>();
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
            _said.Add(transport.ConnectionFault?.Kind);   // said by whoever tried to connect
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
            var answered = await transport.ProbeAsync(ProbeTimeout, cancellationToken).ConfigureAwait(false);
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

    // Each kind of trouble once for as long as it lasts: what is refused is tried again and again.
    private void Say(ITransport transport, bool answered)
    {
        var fault = transport.ConnectionFault;
        if (answered)
        {
            _said.Clear();
            if (!_connected)
            {
                ServiceLog.ConnectionBack(_logger, transport.BootstrapServers);
            }
        }
        else if (_connected)
        {
            _said.Add(fault?.Kind);
            ServiceLog.ConnectionLost(_logger, transport.BootstrapServers, fault is null ? "." : $": {fault}");
        }
        else if (fault is { IsRefusal: true } && _said.Add(fault.Kind))
        {
            ServiceLog.ConnectionRefused(_logger, transport.BootstrapServers, fault.ToString());
        }
    }
}
