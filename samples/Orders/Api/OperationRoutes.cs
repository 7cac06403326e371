using Narad.Kafka;
using Orders.Participants;
using Orders.ReadModel;

namespace Orders.Api;

/// <summary>What an operator does: <c>/participants</c> and <c>/projection</c>.</summary>
internal static class OperationRoutes
{
    public static void MapOperations(this IEndpointRouteBuilder app)
    {
        app.MapGet("/participants", static (ParticipantBehaviours behaviours) => ParticipantBehaviours.Names.ToDictionary(
            static name => name, name => Behaviour.From(behaviours.Of(name))));
        app.MapGet("/participants/{name}", static (string name, ParticipantBehaviours behaviours) =>
            ParticipantBehaviours.Names.Contains(name) ? Results.Json(Behaviour.From(behaviours.Of(name))) : NotFound(name));

        // Through a topic, because the participants are other processes.
        app.MapPut("/participants/{name}", static async (string name, Behaviour body, IKafkaProducer kafka) =>
        {
            if (!ParticipantBehaviours.Names.Contains(name))
            {
                return NotFound(name);
            }

            await kafka.SendAsync(Topics.Behaviour, body.Of(name), key: name);
            return Results.Json(body);
        });

        app.MapGet("/projection", static async (IOrderReadModel readModel, ProjectionRebuild rebuild, CancellationToken cancellationToken) =>
            Results.Json(await StatusAsync(readModel, rebuild, cancellationToken)));
        app.MapPost("/projection/rebuild", static async (IOrderReadModel readModel, ProjectionRebuild rebuild, CancellationToken cancellationToken) =>
            rebuild.TryStart()
                ? Results.Json(await StatusAsync(readModel, rebuild, cancellationToken), statusCode: StatusCodes.Status202Accepted)
                : Results.Problem(
                    statusCode: StatusCodes.Status409Conflict, title: "The read model is being rebuilt", detail: "Wait until it is done: GET /projection."));
    }

    private static async Task<ProjectionStatus> StatusAsync(IOrderReadModel readModel, ProjectionRebuild rebuild, CancellationToken cancellationToken)
    {
        var models = await readModel.GetModelsAsync(cancellationToken);
        return new ProjectionStatus(models.Active, models.Building, rebuild.IsRunning, rebuild.Problem);
    }

    private static IResult NotFound(string name) => Results.Problem(
        statusCode: StatusCodes.Status404NotFound,
        title: "There is no such participant",
        detail: $"There is no participant '{name}'. There are {string.Join(", ", ParticipantBehaviours.Names)}.");

    /// <summary>The answer of <c>GET /projection</c>.</summary>
    /// <param name="Active">The number of the read model that serves.</param>
    /// <param name="Building">The one that is being built; null where none is.</param>
    /// <param name="IsRunning">Whether this process builds it.</param>
    /// <param name="Problem">Why the last rebuild of this process changed nothing; null where it did.</param>
    private sealed record ProjectionStatus(int Active, int? Building, bool IsRunning, string? Problem);
}
