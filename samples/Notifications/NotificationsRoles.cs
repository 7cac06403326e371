using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;
using Narad.Samples;
using Notifications.Access;
using Notifications.Routes;
using Notifications.Sockets;
using Notifications.Storage;

namespace Notifications;

/// <summary>The consumer: stores the topic's notifications, and is the server of WebSocket clients, REST and page.</summary>
internal static class NotificationsRoles
{
    public const string Topic = "notifications";
    public const string EventsTopic = "notification-events";

    /// <summary>The one role. The producer is a command: <see cref="Producer.ProduceCommand"/>.</summary>
    public static SampleRole[] All()
    {
        var memory = new InMemoryNotifications(TimeProvider.System);
        return [Consumer("consumer", 8083, memory)];
    }

    /// <summary>A server instance. Instances share one storage: MongoDB where the configuration names it, else the memory of their process.</summary>
    public static SampleRole Consumer(string name, int port, InMemoryNotifications memory, Action<WebApplicationBuilder>? configure = null) =>
        new(name, port, builder => Build(builder, memory, configure));

    private static WebApplication Build(WebApplicationBuilder builder, InMemoryNotifications memory, Action<WebApplicationBuilder>? configure)
    {
        builder.Services.AddOptions<NotificationsOptions>().BindConfiguration(NotificationsOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddValidation();   // the attributes of request types and parameters
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddNotificationStore(builder.Configuration, memory);
        builder.Services.AddSingleton<NotificationEvents>();
        builder.Services.AddSingleton<ChangeStates>();
        builder.Services.AddSingleton<Connections>();
        builder.Services.AddSingleton<PushEvents>();
        builder.AddAccess();
        builder.Services.ConfigureHttpJsonOptions(
            static json => json.SerializerOptions.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase)));
        builder.Services.AddNaradKafka(builder.Configuration, static kafka =>
        {
            kafka.ClientId = "notifications-consumer";
            kafka.ConsumerGroupId ??= "notifications";
            kafka.SendTimeout = TimeSpan.FromSeconds(5);   // somebody waits for the answer
        })
            .AddTopic(Topic)
            .AddTopic($"{Topic}-dlt", retention: Timeout.InfiniteTimeSpan)
            .AddTopic(EventsTopic, retention: TimeSpan.FromHours(1))

            // One instance stores a notification ...
            .AddBatchSubscription<Notification, StoreNotifications>(Topic, configure: static s =>
            {
                s.MaxBatchWait = TimeSpan.FromMilliseconds(10);
                s.Retry.InMemory.MaxAttempts = 2;
                s.DeadLetter.Enabled = true;
                s.CircuitBreaker.Enabled = true;   // while the storage is away notifications wait, instead of becoming dead letters
                s.CircuitBreaker.ExceptionTypes.Add(typeof(StoreUnavailableException));
                s.CircuitBreaker.BreakDuration = TimeSpan.FromSeconds(1);
                s.CircuitBreaker.MaxBreakDuration = TimeSpan.FromSeconds(10);
            })

            // ... and each instance passes it on to the connections that it has.
            .AddBroadcastSubscription<NotificationEvent, PushEvents>(EventsTopic);
        builder.Services.AddHealthChecks().AddNaradKafka().AddCheck<StorageHealth>("storage");
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UseNotificationSockets();
        app.MapSampleDefaults();
        app.UseRouting();
        app.UseAccess();
        app.MapSamplePage(typeof(NotificationsRoles).Assembly, "Notifications");
        app.MapNotificationSockets();
        app.MapNotifications();
        return app;
    }
}
