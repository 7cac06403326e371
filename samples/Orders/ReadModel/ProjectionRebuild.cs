using Narad.Kafka;
using Orders.Events;

namespace Orders.ReadModel;

/// <summary>
/// Builds a new read model from all events of the topic, while the active one serves, and switches. Thread-safe.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>A new model is named as the one that is being built: from now on <see cref="OrderProjection"/> applies what comes to both.</item>
/// <item>A broadcast subscription reads the topic from its first event to the end that it has now. It applies each event to the new model.</item>
/// <item>The new model serves if it has every order of the active one in at least the same version.</item>
/// </list>
/// An event is read here, or it comes after the model was named, or both; the version of an order says which events it has. If the process ends meanwhile,
/// the active model still serves, and the next rebuild replaces this one.
/// </remarks>
internal sealed class ProjectionRebuild(
    IKafkaService kafka, IOrderReadModel readModel, OrderProjection projection, IHostApplicationLifetime lifetime, ILogger<ProjectionRebuild> logger)
{
    private readonly Lock _lock = new();
    private Task _running = Task.CompletedTask;
    private string? _problem;

    /// <summary>Whether this process builds a model now.</summary>
    public bool IsRunning => !_running.IsCompleted;

    /// <summary>Why the last rebuild of this process did not switch; null where it did.</summary>
    public string? Problem => Volatile.Read(ref _problem);

    /// <summary>Starts a rebuild, unless one is running in this process.</summary>
    public bool TryStart()
    {
        lock (_lock)
        {
            if (IsRunning)
            {
                return false;
            }

            Volatile.Write(ref _problem, null);
            _running = Task.Run(() => RunAsync(lifetime.ApplicationStopping));
            return true;
        }
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await BuildAsync(cancellationToken);
        }
        catch (Exception failure)
        {
            logger.LogError(failure, "The read model was not rebuilt");
            Volatile.Write(ref _problem, "The read model was not rebuilt: Kafka or the storage did not answer. Start it again.");
        }
    }

    private async Task BuildAsync(CancellationToken cancellationToken)
    {
        var models = await readModel.StartBuildingAsync(cancellationToken);
        var building = models.Building!.Value;
        logger.LogInformation("Read model {Model} is being built", building);
        var reader = await kafka.SubscribeBroadcastAsync<OrderEvent>(
            Topics.Events,
            (message, _, token) => projection.ApplyAsync(building, [message], token),
            static o =>
            {
                o.StartPosition = StartPosition.Earliest;
                o.Retry.InMemory.MaxAttempts = 5;
                o.Retry.InMemory.Delay = TimeSpan.FromSeconds(1);
            },
            cancellationToken);
        try
        {
            await reader.UntilCaughtUpAsync(cancellationToken);
        }
        finally
        {
            await reader.StopAsync(CancellationToken.None);
        }

        // Where the topic has lost events, or one could not be applied, the new model would be worse than the old one.
        var missing = await CountMissingAsync(models.Active, building, cancellationToken);
        if (missing > 0)
        {
            await readModel.AbandonAsync(building, cancellationToken);
            logger.LogError("Read model {Model} was given up: {Missing} orders of model {Active} are not in it", building, missing, models.Active);
            Volatile.Write(ref _problem, $"The read model stays as it is: {missing} of its orders cannot be built from the topic.");
        }
        else if (await readModel.SwitchAsync(building, cancellationToken))
        {
            logger.LogInformation("Read model {Model} serves", building);
        }
        else
        {
            logger.LogInformation("Read model {Model} was replaced by a later rebuild", building);
        }
    }

    private async Task<int> CountMissingAsync(int active, int building, CancellationToken cancellationToken)
    {
        var served = await readModel.VersionsAsync(active, cancellationToken);
        var built = await readModel.VersionsAsync(building, cancellationToken);
        return served.Count(order => built.GetValueOrDefault(order.Key) < order.Value);
    }
}
