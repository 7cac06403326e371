using Narad.Kafka;

namespace QuickStart;

/// <summary>Processes the events of users and of the system in one group. Thread-safe, as handlers must be.</summary>
internal sealed class EventProcessor(IKafkaService kafka)
{
    private const string Group = "event-processor";

    public Task InitAsync() => kafka.Init().ConnectConsumerAsync(Group);

    public async Task StartProcessingAsync()
    {
        await kafka.SubscribeByTypeAsync(
            "user-events",
            types => types
                .On<UserLogin>(ProcessUserLoginAsync)
                .On<UserAction>(ProcessUserActionAsync)
                .Otherwise(IgnoreUserEventAsync),
            Group,
            options =>
            {
                options.Retry.InMemory.MaxAttempts = 2;   // a handler that throws is tried again
                options.DeadLetter.Enabled = true;        // and then the message goes to user-events-dlt
            });
        await kafka.SubscribeAsync<SystemEvent>("system-events", HandleSystemEventAsync, Group);
    }

    private static Task ProcessUserLoginAsync(UserLogin login, MessageContext context, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Processing login for user: {login.UserId}");
        return Task.CompletedTask;
    }

    private static Task ProcessUserActionAsync(UserAction action, MessageContext context, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Processing action of user: {action.UserId}: {action.Action}");
        return Task.CompletedTask;
    }

    private static Task IgnoreUserEventAsync(UnknownMessage message, MessageContext context, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Unknown user event type: {message.Type}");
        return Task.CompletedTask;
    }

    private static Task HandleSystemEventAsync(SystemEvent message, MessageContext context, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Processing system event: {message.Type} of {message.Service}");
        return Task.CompletedTask;
    }
}
