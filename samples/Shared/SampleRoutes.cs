using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Options;
using Narad.Kafka;

namespace Narad.Samples;

/// <summary>What every host of a sample answers. Thread-safe.</summary>
public static class SampleRoutes
{
    private const string Policy = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

    /// <summary>
    /// Problem details for errors, <c>GET /health</c> (200, or 503 while a check is unhealthy), and
    /// <c>GET /health/kafka</c> = <c>{status, clientId, brokers}</c>.
    /// </summary>
    public static void MapSampleDefaults(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.MapHealthChecks("/health", new HealthCheckOptions { ResponseWriter = WriteAsync });
        app.MapGet("/health/kafka", static (IKafkaService kafka, IOptions<KafkaOptions> options) => new
        {
            status = kafka.IsConnected ? "connected" : "disconnected",
            clientId = options.Value.ClientId,
            brokers = (options.Value.EmbeddedBroker?.BootstrapServers ?? options.Value.Brokers).Split(',', StringSplitOptions.TrimEntries),
        });
    }

    /// <summary>
    /// Serves the page at <c>/</c>: <c>body.html</c> of the sample in the samples' <c>frame.html</c>. The other files in folder <c>Page</c> of the sample's
    /// project are served too, and those that samples share, such as <c>sample.css</c> and <c>sample.js</c>.
    /// </summary>
    /// <param name="app">The host.</param>
    /// <param name="sample">The sample's assembly; the project has <c>EmbeddedResource Include="Page/*"</c>, and its root namespace is the assembly's
    /// name.</param>
    /// <param name="title">The page's title.</param>
    public static void MapSamplePage(this WebApplication app, Assembly sample, string title)
    {
        ArgumentNullException.ThrowIfNull(sample);
        var files = new CompositeFileProvider(
            new EmbeddedFileProvider(sample, $"{sample.GetName().Name}.Page"),
            new EmbeddedFileProvider(typeof(SampleRoutes).Assembly, "Narad.Samples.Page"));
        var page = Read(files, "frame.html").Replace("{{title}}", title, StringComparison.Ordinal)
            .Replace("{{body}}", Read(files, "body.html").TrimEnd(), StringComparison.Ordinal);
        app.MapGet("/", (HttpResponse response) =>
        {
            SetHeaders(response.Headers);
            return Results.Content(page, "text/html; charset=utf-8");
        }).AllowAnonymous();
        app.UseStaticFiles(new StaticFileOptions { FileProvider = files, OnPrepareResponse = static file => SetHeaders(file.Context.Response.Headers) });
    }

    private static void SetHeaders(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-cache";
    }

    private static string Read(CompositeFileProvider files, string name)
    {
        using var reader = new StreamReader(files.GetFileInfo(name).CreateReadStream());
        return reader.ReadToEnd();
    }

    private static Task WriteAsync(HttpContext http, HealthReport report) => http.Response.WriteAsJsonAsync(new
    {
        status = Text(report.Status),
        checks = report.Entries.ToDictionary(static entry => entry.Key, static entry => new { status = Text(entry.Value.Status), entry.Value.Description }),
    });

    private static string Text(HealthStatus status) => JsonNamingPolicy.CamelCase.ConvertName(status.ToString());
}
