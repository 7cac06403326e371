using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>
/// Connects the service at the host's start and disconnects it at its stop: validation first, then the sending side, then the groups with all their
/// subscriptions. A subscription that ends by itself under <see cref="UnhandledPolicy.StopHost"/> stops the host. Stopping ends in order at the shorter of the
/// service's and the host's time limit, and throws nothing.
/// </summary>
internal sealed class KafkaHostedService(
    KafkaService service,
    IEnumerable<SubscriptionRegistration> registrations,
    IServiceProvider services,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<KafkaHostedService> logger) : IHostedService
{
    private const int FailedExitCode = 1;

    private readonly HostShutdown _shutdown = new(services, lifetime, time);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        service.Init();
        if (_shutdown.Timeout is { } hosts && hosts < service.Options.ShutdownTimeout)
        {
            ServiceLog.HostStopsEarlier(logger, Duration.Text(service.Options.ShutdownTimeout), Duration.Text(hosts));
        }

        ThrowIfDeclarationsAreWrong();
        await ThrowIfHandlersAreIncompleteAsync().ConfigureAwait(false);
        await service.ConnectProducerAsync(cancellationToken).ConfigureAwait(false);
        foreach (var registration in registrations.Where(static registration => registration.BroadcastWaits is null))
        {
            await service.ConnectConsumerAsync(registration.Group, cancellationToken).ConfigureAwait(false);
        }

        var joining = new List<Task>();
        var warming = new List<Task<IBroadcastSubscription>>();
        foreach (var registration in registrations)
        {
            var host = new HandlerHost(services, registration.IsSingleton);
            var route = registration.Topic is null ? service.Options.Routes.ForSubscription(registration.MessageType!) : null;
            var configure = route is null ? registration.Configure : KafkaService.Configured(route, registration.Configure);
            if (registration.BroadcastWaits is { } waits)
            {
                var broadcast = service.SubscribeBroadcastAsync(
                    registration.Topic ?? route!.Topic,
                    configure,
                    registration.HandlerName,
                    (settings, metrics) => registration.Pipeline(settings, metrics, service.Diagnostics, host),
                    CancellationToken.None);
                joining.Add(broadcast);
                if (waits)
                {
                    warming.Add(broadcast);
                }

                continue;
            }

            joining.Add(service.SubscribeAsync(
                registration.Topic ?? route!.Topic,
                registration.Group ?? service.Options.ConsumerGroupId,
                configure,
                registration.IsBatch,
                registration.HandlerName,
                (settings, metrics) => registration.Pipeline(settings, metrics, service.Diagnostics, host),
                CancellationToken.None));
        }

        lifetime.ApplicationStarted.Register(WarnAboutUnusedSections);
        _ = service.HostStop.ContinueWith(static (_, state) => ((KafkaHostedService)state!).StopHost(), this, TaskScheduler.Default);
        await JoinAsync(joining, cancellationToken).ConfigureAwait(false);
        foreach (var broadcast in warming)
        {
            var subscription = await broadcast.WaitAsync(cancellationToken).ConfigureAwait(false);
            await subscription.UntilCaughtUpAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var limit = _shutdown.Limit(service.Options.ShutdownTimeout);
        try
        {
            await service.DisconnectAsync(limit, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            ServiceLog.HostStoppedWaiting(logger, Duration.Text(limit));
        }
        catch (Exception error)
        {
            ServiceLog.DisconnectFailed(logger, error);
        }
    }

    // Not before the whole application started: other hosted services may subscribe in their start.
    private void WarnAboutUnusedSections()
    {
        var known = service.SubscribedNames;
        foreach (var (name, section) in service.Options.Subscriptions.Where(section => !known.Contains(section.Key))
            .OrderBy(static section => section.Key, StringComparer.Ordinal))
        {
            var meant = NearestName.To(name, known) is { } nearest ? $" Did you mean '{nearest}'?" : "";
            var names = known.Count == 0 ? "none" : string.Join(", ", known.Order(StringComparer.Ordinal).Select(static one => $"'{one}'"));
            ServiceLog.SubscriptionSectionUnused(logger, section.Path, meant, names);
        }
    }

    // All of them at once, and in the words of a host's user, who never calls ConnectConsumerAsync.
    private void ThrowIfDeclarationsAreWrong()
    {
        var errors = new List<string>();
        foreach (var registration in registrations)
        {
            if (registration is { Group: null, BroadcastWaits: null } && service.Options.ConsumerGroupId is null)
            {
                var call = registration.Topic is { } topic ? $"AddSubscription(\"{topic}\", " : $"AddSubscription<{registration.MessageType!.Name}, …>(";
                errors.Add($"the subscription to '{registration.Subject}' has no consumer group: name one where it is added, {call}group: …), or set "
                    + $"{SettingNames.Of(nameof(KafkaOptions.ConsumerGroupId))}.");
            }

            if (registration.Topic is null && service.Options.Routes.ForSubscription(registration.MessageType!) is null)
            {
                errors.Add($"the subscription of {registration.HandlerName} names no topic, and no route is declared for {registration.MessageType}: declare "
                    + $"it with AddRoute<{registration.MessageType!.Name}>(\"…\"), or name the topic where the subscription is added.");
            }

            errors.AddRange(registration.Errors.Select(error => $"the subscription to '{registration.Subject}' by type: {error}"));
        }

        if (errors.Count > 0)
        {
            throw new KafkaConfigurationException(errors);
        }
    }

    // A handler that cannot be created would fail for every message. All of them at once, each created as its messages will be.
    private async Task ThrowIfHandlersAreIncompleteAsync()
    {
        var errors = new List<string>();
        var scope = services.CreateAsyncScope();
        await using var scopeDisposal = scope.ConfigureAwait(false);
        foreach (var (registration, handler) in registrations.SelectMany(registration => registration.Handlers.Select(handler => (registration, handler))))
        {
            try
            {
                _ = scope.ServiceProvider.GetRequiredService(handler);
            }
            catch (Exception error)
            {
                errors.Add(
                    $"{handler}, the handler of the subscription to '{registration.Subject}', cannot be created: {error.Message} "
                    + "Register what it needs with the application's services.");
            }
        }

        if (errors.Count > 0)
        {
            throw new KafkaConfigurationException(errors);
        }
    }

    // The host starts with its groups joined where that is quick; a group that takes longer (or has no broker yet, where that is allowed) joins
    // while the application runs already. A subscription that is refused fails the start at once, whatever the others do; refused after the start, it stops
    // the host as a failure: without it the application would run, look healthy and handle nothing.
    private async Task JoinAsync(List<Task> joining, CancellationToken cancellationToken)
    {
        var timeout = service.IsConnected || service.Mode is KafkaMode.Console ? service.Options.ConnectTimeout : TimeSpan.Zero;
        var all = AllJoinedAsync(joining);
        try
        {
            await all.WaitAsync(timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            ServiceLog.JoinTakesLong(logger, Duration.Text(timeout));
            _ = all.ContinueWith(
                late =>
                {
                    // One that the service's end overtook did not fail.
                    if (late.Exception!.GetBaseException() is var error and not KafkaNotConnectedException)
                    {
                        ServiceLog.JoinFailed(logger, error);
                        StopFailed();
                    }
                },
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted,
                TaskScheduler.Default);
        }
    }

    private static async Task AllJoinedAsync(List<Task> joining)
    {
        await foreach (var joined in Task.WhenEach(joining).ConfigureAwait(false))
        {
            await joined.ConfigureAwait(false);
        }
    }

    private void StopHost()
    {
        ServiceLog.StoppingHost(logger);
        StopFailed();
    }

    // A supervisor takes exit code 0 for a service that has done its work. An application whose Main returns a number decides itself.
    private void StopFailed()
    {
        if (Environment.ExitCode == 0)
        {
            Environment.ExitCode = FailedExitCode;
        }

        lifetime.StopApplication();
    }
}
