using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Narad.Kafka;

namespace Narad.Samples;

/// <summary><c>GET /dead-letters</c> lists what could not be handled; <c>POST /dead-letters/redrive</c> sends one of them to its group again.</summary>
public static class DeadLetterRoutes
{
    private const int PageSize = 50;
    private const char Separator = '~';

    /// <summary>Maps both routes. The sample registers its <see cref="IDeadLetterView"/>.</summary>
    public static void MapDeadLetters(this IEndpointRouteBuilder app)
    {
        app.MapGet("/dead-letters", ReadAsync);
        app.MapPost("/dead-letters/redrive", RedriveAsync);
    }

    // A page goes from one topic to the next; what to continue with is the topic's number, and the topic's own continuation.
    private static async Task<IResult> ReadAsync(string? after, IKafkaService kafka, IDeadLetterView view, CancellationToken cancellationToken)
    {
        var (number, inTopic) = (0, (string?)null);
        if (!string.IsNullOrEmpty(after))
        {
            var parts = after.Split(Separator, 2);
            if (parts.Length < 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out number) || number >= view.Topics.Count)
            {
                return Unreadable();
            }

            inTopic = parts[1] is "" ? null : parts[1];
        }

        var letters = new List<DeadLetter>();
        string? next = null;
        try
        {
            for (; number < view.Topics.Count && next is null; number++, inTopic = null)
            {
                if (letters.Count == PageSize)
                {
                    next = $"{number}{Separator}";
                    break;
                }

                var page = await kafka.DeadLetters.GetPageAsync(
                    view.Topics[number].Name, size: PageSize - letters.Count, after: inTopic, cancellationToken: cancellationToken);
                letters.AddRange(page.Items);
                next = page.Continuation is { } more ? $"{number}{Separator}{more}" : null;
            }
        }
        catch (ArgumentException) when (inTopic is not null)
        {
            return Unreadable();
        }
        catch (KafkaTopicException failure)
        {
            return Results.Problem(statusCode: StatusCodes.Status503ServiceUnavailable, title: "The dead letters cannot be read", detail: failure.Message);
        }

        return Results.Json(new { items = await view.ShowAsync(letters, cancellationToken), continuation = next });

        static IResult Unreadable() =>
            Results.ValidationProblem(new Dictionary<string, string[]> { ["after"] = ["'after' is no continuation of a page."] });
    }

    private static async Task<IResult> RedriveAsync(
        Redrive which, IKafkaService kafka, IDeadLetterView view, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var topic = which.Topic is null && view.Topics.Count == 1 ? view.Topics[0] : view.Topics.FirstOrDefault(one => one.Name == which.Topic);
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (topic is null)
        {
            errors["topic"] = [$"'topic' is one of {string.Join(", ", view.Topics.Select(static one => one.Name))}."];
        }

        if (which.Partition is not >= 0)
        {
            errors["partition"] = ["'partition' is a number from 0."];
        }

        if (which.Offset is not >= 0)
        {
            errors["offset"] = ["'offset' is a number from 0."];
        }

        if (errors.Count > 0)
        {
            return Results.ValidationProblem(errors);
        }

        var position = new TopicPartitionOffsetId(topic!.Name, which.Partition!.Value, which.Offset!.Value);
        if (await kafka.DeadLetters.GetAsync(position, cancellationToken) is not { } letter)
        {
            return Results.Problem(statusCode: StatusCodes.Status404NotFound, title: "There is no such dead letter", detail: $"{position}");
        }

        try
        {
            // Sent even if the client hangs up: it does not know whether it was.
            var record = await kafka.DeadLetters.RedriveAsync(letter, retryTopic: topic.RetryTopic, cancellationToken: CancellationToken.None);
            loggers.CreateLogger(typeof(DeadLetterRoutes)).LogInformation(
                "Dead letter {DeadLetter} sent again: it is in {Topic} at offset {Offset}", position, record.Topic, record.Offset);
            return Results.Json(new { record.Topic, record.Partition, record.Offset });
        }
        catch (InvalidOperationException error)
        {
            return Results.Problem(statusCode: StatusCodes.Status409Conflict, title: "The dead letter cannot be sent again", detail: error.Message);
        }
    }
}

/// <summary>What a sample shows of its dead letters.</summary>
public interface IDeadLetterView
{
    /// <summary>The topics of dead letters, in the order in which they are listed.</summary>
    IReadOnlyList<DeadLetterTopic> Topics { get; }

    /// <summary>What is sent to the page of each letter: at least its topic, partition and offset.</summary>
    Task<IReadOnlyList<object>> ShowAsync(IReadOnlyList<DeadLetter> letters, CancellationToken cancellationToken);
}

/// <summary>A topic of dead letters.</summary>
/// <param name="Name">Its logical name.</param>
/// <param name="RetryTopic">Where its messages are sent again; null: <c>{source topic}-retry</c>.</param>
public sealed record DeadLetterTopic(string Name, string? RetryTopic = null);

/// <summary>The body of <c>POST /dead-letters/redrive</c>.</summary>
/// <param name="Topic">The topic of dead letters; may be left out where there is one.</param>
/// <param name="Partition">Its partition.</param>
/// <param name="Offset">The offset there.</param>
public sealed record Redrive(string? Topic, int? Partition, long? Offset);
