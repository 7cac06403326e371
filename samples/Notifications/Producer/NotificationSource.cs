using System.Globalization;
using System.Text.Json;

namespace Notifications.Producer;

/// <summary>What is sent: a stream that is made up, or the lines of a file.</summary>
internal static class NotificationSource
{
    private static readonly string[] Messages =
    [
        "Your order has been shipped", "A colleague mentioned you", "Your report is ready", "The build has passed", "Your invoice is due tomorrow",
    ];

    public static async IAsyncEnumerable<Notification> Stream(ProduceOptions options, TimeProvider time)
    {
        await Task.CompletedTask;
        var users = options.Users.Split(',');
        for (var number = 0; options.Count == 0 || number < options.Count; number++)
        {
            yield return new Notification
            {
                Id = Guid.CreateVersion7(time.GetUtcNow()).ToString(),
                UserId = users[number % users.Length],
                Message = string.Create(CultureInfo.InvariantCulture, $"{Messages[number % Messages.Length]} (#{number + 1})"),
                Timestamp = time.GetUtcNow(),
            };
        }
    }

    /// <summary>Reads JSON Lines. Empty lines are left out. A line without an id gets one, a line without a timestamp the time at which it is read.</summary>
    /// <param name="file">The path.</param>
    /// <param name="refuse">Called with each line that is no notification.</param>
    /// <param name="time">The clock.</param>
    public static async IAsyncEnumerable<Notification> ReadAsync(string file, Action<string> refuse, TimeProvider time)
    {
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(file))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            var (notification, problem) = Parse(line, time.GetUtcNow());
            if (notification is not null)
            {
                yield return notification;
            }
            else
            {
                refuse(string.Create(CultureInfo.InvariantCulture, $"Line {number} is no notification: {problem}"));
            }
        }
    }

    private static (Notification? Notification, string? Problem) Parse(string line, DateTimeOffset now)
    {
        try
        {
            var read = JsonSerializer.Deserialize<Line>(line, JsonSerializerOptions.Web);
            var notification = new Notification
            {
                Id = read?.Id ?? Guid.CreateVersion7(now).ToString(),
                UserId = read?.UserId ?? "",
                Message = read?.Message ?? "",
                Timestamp = read?.Timestamp ?? now,
                ExpiresAt = read?.ExpiresAt,
            };
            return notification.Validate() is { } problem ? (null, problem) : (notification, null);
        }
        catch (JsonException wrong)
        {
            return (null, wrong.Message);
        }
    }

    private sealed record Line(string? Id, string? UserId, string? Message, DateTimeOffset? Timestamp, DateTimeOffset? ExpiresAt);
}
