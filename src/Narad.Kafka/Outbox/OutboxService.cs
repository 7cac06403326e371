using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Narad.Kafka.Outbox;

/// <summary>The outbox of one Kafka service: what enqueues, and what sends.</summary>
internal sealed class OutboxService : IAsyncDisposable
{
    private readonly OutboxMetrics _metrics;
    private bool _isStopped;

    public OutboxService(KafkaService service, IServiceProvider services, Action<OutboxOptions>? configure)
    {
        var options = new OutboxOptions();
        OutboxConfiguration.Apply(options, services.GetService<IConfiguration>()?.GetSection(OutboxConfiguration.Section));
        configure?.Invoke(options);
        OutboxConfiguration.ThrowIfInvalid(options);
        var store = options.Store ?? services.GetService<IOutboxStore>() ?? throw new KafkaConfigurationException([
            "AddOutbox was called, and there is no store: add Narad.Kafka.Mongo and call AddMongo(…), register an IOutboxStore, or set OutboxOptions.Store "
                + "(new InMemoryOutboxStore() for tests).",
        ]);
        Options = options;
        _metrics = new OutboxMetrics(service.Options.ClientId);

        // Middleware comes from the container with the first use.
        var composer = new Lazy<OutboxComposer>(() => new OutboxComposer(((KafkaService)service.Init()).Options),
            LazyThreadSafetyMode.PublicationOnly);
        Outbox = new KafkaOutbox(composer, store, _metrics);
        Relay = options.RelayEnabled
            ? new OutboxRelay(store, options, service.SendStoredAsync, _metrics, service.Diagnostics.Time, service.Diagnostics.Logger<OutboxRelay>())
            : null;
    }

    public OutboxOptions Options { get; }

    public IOutbox Outbox { get; }

    /// <summary>Null: this instance only enqueues.</summary>
    public OutboxRelay? Relay { get; }

    /// <summary>As counted last; null: not counted yet.</summary>
    public OutboxStatistics? Statistics => _metrics.Statistics;

    public Task StartAsync(CancellationToken cancellationToken) => Relay?.StartAsync(cancellationToken) ?? Task.CompletedTask;

    public async Task StopAsync(TimeSpan limit)
    {
        if (Relay is not null && !_isStopped)
        {
            _isStopped = true;
            await Relay.StopAsync(limit).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero).ConfigureAwait(false);
        _metrics.Dispose();
    }
}
