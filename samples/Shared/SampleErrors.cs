using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Narad.Kafka;
using BadHttpRequestException = Microsoft.AspNetCore.Http.BadHttpRequestException;

namespace Narad.Samples;

/// <summary>
/// Answers of problems as problem details (RFC 9457), without a stack trace: 400 with the field, 404, 413, 415, 503 where the storage or Kafka does not
/// answer, 500.
/// </summary>
internal static class SampleErrorsExtensions
{
    private const int MaxRequestBytes = 128 * 1024;

    public static void AddSampleErrors(this WebApplicationBuilder builder)
    {
        builder.Services.Configure<KestrelServerOptions>(static kestrel => kestrel.Limits.MaxRequestBodySize = MaxRequestBytes);
        builder.Services.AddProblemDetails(static options => options.CustomizeProblemDetails = static context =>
        {
            if (context.ProblemDetails is HttpValidationProblemDetails { Errors.Count: > 0 } validation)
            {
                // As the fields are named in JSON.
                validation.Errors = validation.Errors.ToDictionary(
                    static error => string.Join('.', error.Key.Split('.').Select(JsonNamingPolicy.CamelCase.ConvertName)), static error => error.Value);
            }
            else if (context.ProblemDetails.Status is StatusCodes.Status415UnsupportedMediaType)
            {
                context.ProblemDetails.Detail = "Send JSON, with the header Content-Type: application/json.";
            }
        });

        // A body that cannot be read is an exception in every environment, so that SampleErrors can say which field it is.
        builder.Services.Configure<RouteHandlerOptions>(static options => options.ThrowOnBadRequest = true);
        builder.Services.AddExceptionHandler<SampleErrors>();
    }
}

/// <summary>The answer to an exception. Thread-safe.</summary>
internal sealed class SampleErrors(IProblemDetailsService problems, ILogger<SampleErrors> logger) : IExceptionHandler
{
    public ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var problem = exception switch
        {
            BadHttpRequestException { InnerException: JsonException json } => Unreadable(json),
            BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } bad when ParameterOf(bad.Message) is { } parameter => Invalid(
                parameter, $"The value of '{parameter}' cannot be read."),
            BadHttpRequestException bad => new ProblemDetails
            {
                Status = bad.StatusCode,
                Detail = bad.StatusCode is StatusCodes.Status400BadRequest ? "The body is missing, or is not what this route takes." : null,
            },
            StoreUnavailableException => new ProblemDetails
            {
                Status = StatusCodes.Status503ServiceUnavailable,
                Title = "The storage does not answer",
                Detail = HttpMethods.IsGet(httpContext.Request.Method) ? "Try again later." : "What was sent may or may not be stored. Try again later.",
            },
            KafkaNotConnectedException or KafkaSendException or KafkaSendManyException or KafkaTopicException => new ProblemDetails
            {
                Status = StatusCodes.Status503ServiceUnavailable, Title = "Kafka does not answer", Detail = "Try again later.",
            },
            NotSupportedException unsupported => new ProblemDetails { Status = StatusCodes.Status501NotImplemented, Detail = unsupported.Message },
            _ => new ProblemDetails { Status = StatusCodes.Status500InternalServerError },
        };
        if (problem.Status is StatusCodes.Status500InternalServerError or StatusCodes.Status503ServiceUnavailable)
        {
            logger.LogError(exception, "{Method} {Path} failed", httpContext.Request.Method, httpContext.Request.Path);
        }

        httpContext.Response.StatusCode = problem.Status!.Value;
        return problems.TryWriteAsync(new ProblemDetailsContext { HttpContext = httpContext, ProblemDetails = problem });
    }

    // Failed to bind parameter "int limit" from "x".
    private static string? ParameterOf(string message) => message.Split('"') is ["Failed to bind parameter ", var parameter, ..]
        ? parameter[(parameter.LastIndexOf(' ') + 1)..]
        : null;

    // The path is $.text, or $ where the body as a whole is no JSON.
    private static HttpValidationProblemDetails Unreadable(JsonException json)
    {
        var field = json.Path is { Length: > 2 } path && path.StartsWith("$.", StringComparison.Ordinal) ? path[2..] : "$";
        return Invalid(field, field is "$" ? $"The body is not JSON (line {json.LineNumber + 1})." : $"The value of '{field}' cannot be read.");
    }

    private static HttpValidationProblemDetails Invalid(string field, string text) =>
        new(new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [text] }) { Status = StatusCodes.Status400BadRequest };
}
