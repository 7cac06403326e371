using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Narad.Kafka;

namespace Narad.Samples.Tests.Docs;

/// <summary>The code of docs/recipes/ and docs/deployment.md.</summary>
public static class RecipeSnippets
{
    public static void Pausing(WebApplication app)
    {
        // snippet: pause-endpoint
        var operations = app.MapGroup("/operations").RequireAuthorization();   // whoever may call it can stop your processing

        operations.MapGet("/subscriptions", (IKafkaService kafka) => kafka.Subscriptions.Select(subscription => new
        {
            subscription.Topic, subscription.Group, State = subscription.State.ToString(), subscription.PausedPartitions, subscription.StoppedPartitions,
        }));

        operations.MapPost("/subscriptions/{topic}/pause", async (string topic, IKafkaService kafka, CancellationToken token) =>
        {
            if (kafka.Subscriptions.FirstOrDefault(subscription => subscription.Topic == topic) is not { } subscription)
            {
                return Results.NotFound();
            }

            await subscription.PauseAllAsync(token);
            return Results.NoContent();
        });

        operations.MapPost("/subscriptions/{topic}/resume", async (string topic, IKafkaService kafka, CancellationToken token) =>
        {
            if (kafka.Subscriptions.FirstOrDefault(subscription => subscription.Topic == topic) is not { } subscription)
            {
                return Results.NotFound();
            }

            await subscription.ResumeAllAsync(token);
            return Results.NoContent();
        });
        // end
    }

    public static void StoppedPartition(WebApplication app)
    {
        // snippet: stopped-partition-endpoint
        var operations = app.MapGroup("/operations").RequireAuthorization();

        operations.MapPost("/subscriptions/{topic}/{partition:int}/resume", async (string topic, int partition, IKafkaService kafka) =>
        {
            var id = new TopicPartitionId(topic, partition);
            return kafka.Subscriptions.FirstOrDefault(subscription => subscription.Topic == topic) is { } subscription
                && await subscription.ResumeAsync(id) ? Results.NoContent() : Results.NotFound();
        });

        operations.MapPost("/subscriptions/{topic}/{partition:int}/skip", async (string topic, int partition, IKafkaService kafka) =>
        {
            var id = new TopicPartitionId(topic, partition);
            return kafka.Subscriptions.FirstOrDefault(subscription => subscription.Topic == topic) is { } subscription
                && await subscription.SkipFailedMessageAsync(id) ? Results.NoContent() : Results.NotFound();
        });
        // end
    }

    public static void DeadLetters(WebApplication app)
    {
        // snippet: dead-letter-endpoint
        var deadLetters = app.MapGroup("/operations/dead-letters/{topic}").RequireAuthorization();   // it shows messages and can handle them again

        deadLetters.MapGet("/", async (string topic, string? after, IKafkaService kafka, CancellationToken token) =>
        {
            var page = await kafka.DeadLetters.GetPageAsync(topic, size: 50, after: after, cancellationToken: token);
            return new
            {
                page.Continuation,
                Items = page.Items.Select(letter => new
                {
                    letter.Position, letter.SourceTopic, Key = letter.Key.ToString(), letter.Group, letter.ExceptionType, letter.ExceptionMessage,
                }),
            };
        });

        deadLetters.MapPost("/redrive", async (string topic, string group, IKafkaService kafka, CancellationToken token) =>
        {
            var options = new RedriveOptions { Filter = new DeadLetterFilter { Group = group }, MaxPerSecond = 200 };
            var report = await kafka.DeadLetters.RedriveAsync(topic, options, cancellationToken: token);
            return new { report.Sent, report.Skipped };
        });
        // end
    }

    public static void TopicsAtStart(WebApplicationBuilder builder)
    {
        // snippet: topics-at-start
        builder.Services.AddNaradKafka()
            .AddTopic("orders", partitions: 12, retention: TimeSpan.FromDays(7))
            .AddTopic("customers", partitions: 12, cleanupPolicy: TopicCleanupPolicy.Compact)
            .AddTopic("audit", retention: Timeout.InfiniteTimeSpan, settings: new Dictionary<string, string> { ["segment.bytes"] = "104857600" })
            .AddSubscription<OrderPlaced, BillOrder>("orders", group: "billing", o => o.DeadLetter.Enabled = true);
        // end
    }

    public static void Retention(WebApplication app)
    {
        // snippet: topic-retention-endpoint
        var topics = app.MapGroup("/operations/topics").RequireAuthorization();

        topics.MapGet("/{topic}/retention", async (string topic, IKafkaService kafka, CancellationToken token) =>
            await kafka.Topics.GetDetailsAsync(topic, token) is { } found ? Results.Ok(new { found.Name, found.Retention }) : Results.NotFound());

        topics.MapPut("/{topic}/retention/{hours:int:min(1)}", async (string topic, int hours, IKafkaService kafka, CancellationToken token) =>
        {
            await kafka.Topics.SetRetentionAsync(topic, TimeSpan.FromHours(hours), token);
            return Results.NoContent();
        });
        // end
    }

    public static void Shutdown(HostApplicationBuilder builder)
    {
        // snippet: shutdown-limits
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(25));          // below the container's grace period
        builder.Services.AddNaradKafka(options => options.ShutdownTimeout = TimeSpan.FromSeconds(20));            // below the host's
        // end
    }

    public static void Probes(WebApplicationBuilder builder)
    {
        // snippet: probes
        builder.Services.AddNaradKafka();
        builder.Services.AddHealthChecks().AddNaradKafka(tags: ["ready"]);

        var app = builder.Build();
        app.MapHealthChecks("/health/live", new() { Predicate = _ => false });                                // the process answers
        app.MapHealthChecks("/health/ready", new() { Predicate = check => check.Tags.Contains("ready") });    // and Kafka works
        // end
    }
}
