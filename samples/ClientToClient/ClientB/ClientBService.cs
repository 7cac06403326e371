using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

namespace ClientToClient.ClientB;

/// <summary>client-b-service: what it consists of.</summary>
internal static class ClientBService
{
    public static void AddClientB(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<ClientBOptions>()
            .Bind(builder.Configuration.GetSection("ClientB"))
            .Validate(static options => options.SuccessRate is >= 0 and <= 1, "ClientB:SuccessRate is a number from 0 to 1, such as 0.2.")
            .ValidateOnStart();
        builder.Services.AddSingleton(Random.Shared);
        builder.Services.AddSingleton<IMessageStore, InMemoryMessageStore>();
        builder.Services
            .AddNaradKafka(builder.Configuration, static kafka =>
            {
                kafka.ClientId = "client-b-service";
                kafka.ConsumerGroupId ??= "client-b-group";
                kafka.TopicCreation = TopicCreation.IfMissing;
                kafka.TopicPartitions = 1;
            })
            .AddSubscription<ClientMessage, ReceiveMessage>("client-messages", configure: static s =>
            {
                s.Order = MessageOrder.ByPartition;
                s.Retry.Topic.MaxAttempts = 3;     // client-messages-retry after 2, 4 and 8 s, then client-messages-dlt
                s.Retry.AllowReorder = true;       // later messages overtake a failed one
            });
    }
}
