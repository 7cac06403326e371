using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Narad.Kafka;
using Notifications.Access;
using Notifications.Storage;

namespace Notifications.Routes;

/// <summary><c>/notifications</c>.</summary>
internal static class NotificationRoutes
{
    private static readonly NotificationState[] AllStates = Enum.GetValues<NotificationState>();

    public static void MapNotifications(this WebApplication app)
    {
        var own = app.MapGroup("/notifications").RequireAuthorization(AccessExtensions.User);
        own.MapGet("", ListAsync);
        own.MapPut("/{id}/seen", static (string id, HttpContext http, ChangeStates states) => OneAsync(http, states, id, NotificationState.Seen));
        own.MapPut("/{id}/read", static (string id, HttpContext http, ChangeStates states) => OneAsync(http, states, id, NotificationState.Read));
        own.MapPut("/{id}/archived", static (string id, HttpContext http, ChangeStates states) => OneAsync(http, states, id, NotificationState.Archived));
        own.MapPut("/seen-all", static (long? upTo, HttpContext http, ChangeStates states) => AllAsync(http, states, upTo, NotificationState.Seen));
        own.MapPut("/read-all", static (long? upTo, HttpContext http, ChangeStates states) => AllAsync(http, states, upTo, NotificationState.Read));

        app.MapPost("/notifications", SendNotifications.HandleAsync).RequireAuthorization(AccessExtensions.Sender);
    }

    // Newest first. next is the parameter before of the next page, as long as there may be one.
    private static async Task<IResult> ListAsync(
        HttpContext http, INotificationStore store, CancellationToken cancellationToken,
        string[]? state = null, long? before = null, [Range(1, 500)] int limit = 50)
    {
        var states = state is { Length: > 0 } ? Array.FindAll(AllStates, one => state.Contains(Name(one), StringComparer.Ordinal)) : AllStates;
        if (state?.FirstOrDefault(static name => !AllStates.Select(Name).Contains(name, StringComparer.Ordinal)) is { } unknown)
        {
            return Results.ValidationProblem(new Dictionary<string, string[]>(StringComparer.Ordinal)
            {
                [nameof(state)] = [$"'{unknown}' is no state: {string.Join(", ", AllStates.Select(Name))}."],
            });
        }

        var counts = await store.CountAsync(http.UserId(), cancellationToken);
        var items = await store.ListAsync(http.UserId(), states, before, limit, cancellationToken);
        return Results.Ok(new NotificationPage(
            items,
            states.Sum(one => counts.GetValueOrDefault(one)),
            AllStates.ToDictionary(Name, one => counts.GetValueOrDefault(one)),
            items.Count == limit ? items[^1].Position : null));
    }

    private static string Name(NotificationState state) => JsonNamingPolicy.CamelCase.ConvertName(state.ToString());

    // No cancellation token: a client that hangs up leaves no change that other devices are not told of.
    private static Task<Changed> OneAsync(HttpContext http, ChangeStates states, string id, NotificationState state) =>
        ChangeAsync(http, states, new StateChange(state, [id], UpTo: null));

    private static Task<Changed> AllAsync(HttpContext http, ChangeStates states, long? upTo, NotificationState state) =>
        ChangeAsync(http, states, new StateChange(state, Ids: null, upTo));

    private static async Task<Changed> ChangeAsync(HttpContext http, ChangeStates states, StateChange change) =>
        new(await states.ChangeAsync(http.UserId(), change, CancellationToken.None));

    /// <summary>A page of the list.</summary>
    /// <param name="Items">Newest first.</param>
    /// <param name="Count">How many there are in the states that were asked for.</param>
    /// <param name="Counts">How many there are in each state.</param>
    /// <param name="Next">The parameter <c>before</c> of the next page; null where this is the last one.</param>
    private sealed record NotificationPage(
        IReadOnlyList<StoredNotification> Items, long Count, IReadOnlyDictionary<string, long> Counts,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] long? Next);

    private sealed record Changed([property: JsonPropertyName("changed")] long Count);
}
