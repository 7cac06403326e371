using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Logging;

/// <summary>In the Development environment the library's Debug events are shown where nobody configured a level, and nowhere else.</summary>
public sealed class DevelopmentLoggingTests
{
    [Theory]
    [InlineData("Development", null, null, true)]
    [InlineData("Development", "Logging:LogLevel:Default", "Information", false)]
    [InlineData("Development", "Logging:LogLevel:Narad.Kafka", "Warning", false)]
    [InlineData("Development", "Logging:LogLevel:Narad.Kafka", "Debug", true)]
    [InlineData("Development", "Logging:LogLevel:Microsoft", "Warning", true)]
    [InlineData("Production", null, null, false)]
    public void The_level_that_the_application_configured_is_respected(string environment, string? setting, string? level, bool isDebug)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = environment });
        if (setting is not null)
        {
            builder.Configuration.AddInMemoryCollection([new(setting, level)]);
        }

        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.Logging.AddProvider(new LogEvents());
        builder.Services.AddNaradKafka(options => options.Mode = KafkaMode.Console);
        using var host = builder.Build();

        host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Narad.Kafka.Consuming.HandlerPipeline").IsEnabled(LogLevel.Debug).Should().Be(isDebug);
    }
}
