using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Narad.Samples;

/// <summary>Traces and metrics, switched on by OpenTelemetry's own setting <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, such as http://localhost:4317.</summary>
internal static class SampleTelemetryExtensions
{
    public static void AddSampleTelemetry(this WebApplicationBuilder builder, string role)
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            return;
        }

        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService($"{builder.Environment.ApplicationName}.{role}"))
            .WithTracing(static tracing => tracing.AddAspNetCoreInstrumentation().AddSource("Narad.Kafka", "MongoDB.Driver"))
            .WithMetrics(static metrics => metrics.AddAspNetCoreInstrumentation().AddMeter("Narad.Kafka"))
            .UseOtlpExporter();
    }
}
