using System.Reflection;
using Microsoft.Extensions.Logging;

namespace Narad.Kafka.Tests.Service;

/// <summary>What operators filter by: an event id means one thing.</summary>
public sealed class LogEventIdTests
{
    [Fact]
    public void Each_event_has_an_id_of_its_own()
    {
        var events = typeof(KafkaService).Assembly.GetTypes()
            .SelectMany(static type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Select(static method => (Name: $"{method.DeclaringType!.Name}.{method.Name}", method.GetCustomAttribute<LoggerMessageAttribute>()?.EventId))
            .Where(static logged => logged.EventId is not null)
            .ToList();

        events.Should().HaveCountGreaterThan(100);
        events.GroupBy(static logged => logged.EventId).Where(static id => id.Count() > 1)
            .Select(static id => $"{id.Key}: {string.Join(", ", id.Select(static logged => logged.Name))}").Should().BeEmpty();
    }
}
