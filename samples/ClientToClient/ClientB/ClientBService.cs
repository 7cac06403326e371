using ClientToClient.Storage;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;

namespace ClientToClient.ClientB;

/// <summary>client-b-service: what it consists of.</summary>
internal static class ClientBService
{
    public static void AddClientB(this WebApplicationBuilder builder, InMemoryMessageRepository memory)
    {
        builder.Services.AddOptions<ClientBOptions>()
            .Bind(builder.Configuration.GetSection("ClientB"))
            .Validate(static options => options.SuccessRate is >= 0 and <= 1, "ClientB:SuccessRate is a number from 0 to 1, such as 0.2.")
            .ValidateOnStart();
        builder.Services.AddSingleton(Random.Shared);
        builder.Services.AddSingleton<ForcedFailure>();
        builder.Services
            .AddNaradKafka(builder.Configuration, static kafka =>
            {
                kafka.ClientId = "client-b-service";
                kafka.ConsumerGroupId ??= "client-b-group";
                kafka.TopicCreation = TopicCreation.IfMissing;   // client A declares the topics, but need not be the first to start
                kafka.TopicPartitions = 1;
            })
            .AddMessageRepository(builder.Configuration, memory)
            .AddSubscription<ClientMessage, ReceiveMessage>(ClientMessage.Topic, configure: static s =>
            {
                s.Order = MessageOrder.ByPartition;
                s.Retry.Topic.MaxAttempts = 3;     // after 2, 4 and 8 s
                s.Retry.Topic.Name = ClientMessage.RetryTopic;
                s.DeadLetter.TopicName = ClientMessage.DeadLetterTopic;
                s.Retry.AllowReorder = true;       // later messages overtake a failed one
                s.CircuitBreaker.Enabled = true;   // while the database is away messages wait, instead of becoming dead letters
                s.CircuitBreaker.ExceptionTypes.Add(typeof(StoreUnavailableException));
                s.CircuitBreaker.BreakDuration = TimeSpan.FromSeconds(1);
                s.CircuitBreaker.MaxBreakDuration = TimeSpan.FromSeconds(10);
            });
        builder.Services.AddHealthChecks().AddNaradKafka();
    }

    public static void MapClientB(this WebApplication app)
    {
        app.MapSampleDefaults();
        app.MapGet("/force-failure", static (ForcedFailure failure) => failure.IsOn);
        app.MapPut("/force-failure", static ([FromBody] bool isOn, ForcedFailure failure) => failure.IsOn = isOn);
    }
}
