using System.Security.Cryptography;
using System.Text.Json;
using Chat.Connections;
using Chat.Log;
using Chat.Presence;
using Chat.Rooms;
using Chat.Security;
using Chat.Storage;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Narad.Kafka;
using Narad.Samples;

namespace Chat;

/// <summary>What the processes consist of.</summary>
internal static class ChatRoles
{
    private const int FirstPort = 3000;
    private const int ConsumerPort = 3020;
    private const int Partitions = 3;

    /// <summary>
    /// The roles: servers, and the consumer that stores. In memory they share one store, so they run in one process; MongoDB is used where
    /// <c>MONGODB_URI</c> names one.
    /// </summary>
    /// <param name="instances">How many servers: <c>server</c>, <c>server-2</c>, …</param>
    public static SampleRole[] All(int instances = 1)
    {
        var memory = new InMemoryChatStorage();
        var key = RandomNumberGenerator.GetBytes(32);
        return
        [
            .. Enumerable.Range(1, instances).Select(number => new SampleRole(
                number == 1 ? "server" : $"server-{number}", FirstPort + number - 1, builder => BuildServer(builder, memory, key))),
            new SampleRole("consumer", ConsumerPort, builder => BuildConsumer(builder, memory)),
        ];
    }

    private static WebApplication BuildServer(WebApplicationBuilder builder, InMemoryChatStorage memory, byte[] processKey)
    {
        var options = ChatOptions.From(builder.Configuration);
        SessionTokens.ThrowIfInvalid(options);
        var services = builder.Services;
        services.AddNaradKafka(builder.Configuration, static kafka =>
        {
            kafka.ClientId = "chat-server";
            kafka.SendTimeout = TimeSpan.FromSeconds(10);   // somebody waits for the answer
        })
            .AddAwsTokens()
            .AddTopics(options);
        services.AddChatStorage(builder.Configuration, memory);
        services.AddHealthChecks().AddNaradKafka();
        services.AddValidation();
        services.AddSingleton(options);

        services.AddSingleton<SignedOutUsers>();
        services.AddSingleton(provider => new SessionTokens(
            options, processKey, provider.GetRequiredService<SignedOutUsers>(), provider.GetRequiredService<TimeProvider>()));
        services.AddAuthenticationCore(static authentication => authentication.DefaultScheme = SessionAuthentication.SchemeName);
        services.AddWebEncoders();
        new AuthenticationBuilder(services)   // without data protection, which writes keys into the user's home
            .AddScheme<AuthenticationSchemeOptions, SessionAuthentication>(SessionAuthentication.SchemeName, configureOptions: null);
        builder.Logging.AddFilter(typeof(SessionAuthentication).FullName, LogLevel.Warning);
        services.AddAuthorization();
        services.AddSingleton<Limits>();
        Limits.AddTo(services, options);

        services.AddSingleton<ClientConnections>();
        services.AddSingleton<RoomDirectory>();
        services.AddSingleton<ChatLog>();
        services.AddPresence(options);
        AddBackground<LogReader>(services);
        AddBackground<ReadReceipts>(services);
        AddBackground<PresenceService>(services);
        services.AddSignalR(static hub =>
        {
            hub.MaximumReceiveMessageSize = 16 * 1024;   // a text of 4 KiB, escaped
            hub.MaximumParallelInvocationsPerClient = 1;
        })
            .AddJsonProtocol(static json => json.PayloadSerializerOptions = new JsonSerializerOptions(JsonSerializerOptions.Web));

        var app = builder.Build();
        app.UseSameOrigin(options);
        app.MapSampleDefaults();
        app.MapSamplePage(typeof(ChatRoles).Assembly, "Chat");
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseRateLimiter();
        app.MapSession();
        app.MapMessages();
        app.MapHub<ChatHub>("/chat", static hub => hub.CloseOnAuthenticationExpiration = true);
        return app;
    }

    private static WebApplication BuildConsumer(WebApplicationBuilder builder, InMemoryChatStorage memory)
    {
        var options = ChatOptions.From(builder.Configuration);
        builder.Services.AddNaradKafka(builder.Configuration, static kafka =>
        {
            kafka.ClientId = "chat-consumer";
            kafka.ConsumerGroupId ??= "chat-consumer-group";
        })
            .AddAwsTokens()
            .AddTopics(options)
            .AddMessageStore<ChatRecord>(
                options.MessagesTopic,
                StoreChatLog.Messages,
                store: static o => o.IdSelector = static (_, context) => $"{context.Partition}/{context.Offset}",
                configure: static o => o.DeadLetter.Enabled = true)
            .AddMessageStore<StateRecord>(
                options.StateTopic,
                StoreChatLog.State,
                store: static o => o.IdSelector = static (_, context) => $"{context.Partition}/{context.Offset}",
                configure: static o => o.DeadLetter.Enabled = true);
        builder.Services.AddChatStorage(builder.Configuration, memory);
        builder.Services.AddSingleton<IMessageStore, StoreChatLog>();
        builder.Services.AddHealthChecks().AddNaradKafka();

        var app = builder.Build();
        app.MapSampleDefaults();
        return app;
    }

    private static NaradKafkaBuilder AddTopics(this NaradKafkaBuilder kafka, ChatOptions options) => kafka
        .AddTopic(options.MessagesTopic, Partitions)
        .AddTopic(options.StateTopic, Partitions)
        .AddTopic($"{options.MessagesTopic}-dlt", partitions: 1, retention: Timeout.InfiniteTimeSpan)
        .AddTopic($"{options.StateTopic}-dlt", partitions: 1, retention: Timeout.InfiniteTimeSpan)
        .AddTopic(options.PresenceTopic, partitions: 1, retention: TimeSpan.FromHours(1));

    private static void AddPresence(this IServiceCollection services, ChatOptions options)
    {
        services.AddSingleton<OnlineUsers>();
        if (options.RedisUrl is null)
        {
            services.AddSingleton<IPresenceChannel, KafkaPresenceChannel>();
            services.AddSingleton<IEarlyDelivery, NoEarlyDelivery>();
            return;
        }

        _ = Presence.Redis.Parse(options.RedisUrl);   // says what is wrong with it before anything starts
        services.AddSingleton<Presence.Redis>();
        services.AddSingleton<IPresenceChannel>(static provider => provider.GetRequiredService<Presence.Redis>());
        services.AddSingleton<IEarlyDelivery>(static provider => provider.GetRequiredService<Presence.Redis>());
        services.AddHealthChecks().AddCheck<Presence.Redis>("redis");
    }

    private static void AddBackground<T>(IServiceCollection services)
        where T : class, IHostedService
    {
        services.AddSingleton<T>();
        services.AddHostedService(static provider => provider.GetRequiredService<T>());
    }
}
