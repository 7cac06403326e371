using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

namespace Narad.Samples;

/// <summary>The hosts of a sample in this process. Not thread-safe.</summary>
public sealed class RunningSample : IAsyncDisposable
{
    private readonly List<(string Role, WebApplication Host)> _hosts = [];

    // Those that failed to start cannot be stopped; disposing them ends what they began.
    private readonly HashSet<WebApplication> _started = [];

    /// <summary>The broker that the hosts share; null where the configuration names another one.</summary>
    public EmbeddedBroker? Broker { get; internal set; }

    /// <summary>The host of a role.</summary>
    public WebApplication this[string role] => _hosts.Single(host => host.Role == role).Host;

    /// <summary>Where a role listens.</summary>
    public Uri UrlOf(string role) => new(this[role].Urls.First());

    /// <summary>Completes when one of the hosts is asked to stop.</summary>
    public async Task WaitForShutdownAsync()
    {
        var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var (_, host) in _hosts)
        {
            host.Lifetime.ApplicationStopping.Register(() => stopping.TrySetResult());
        }

        await stopping.Task;
    }

    /// <summary>Stops the hosts, the last one first, then the broker.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var (_, host) in Enumerable.Reverse(_hosts))
        {
            if (_started.Remove(host))
            {
                await host.StopAsync();
            }

            await host.DisposeAsync();
        }

        _hosts.Clear();
        Broker?.Dispose();
    }

    internal void Add(string role, WebApplication host) => _hosts.Add((role, host));

    internal async Task StartAsync()
    {
        foreach (var (_, host) in _hosts)
        {
            try
            {
                await host.StartAsync();
            }
            catch (OperationCanceledException) when (host.Lifetime.ApplicationStopping.IsCancellationRequested)
            {
                return;   // asked to stop before it had started, which is no failure: WaitForShutdownAsync completes at once
            }

            _started.Add(host);
        }
    }
}
