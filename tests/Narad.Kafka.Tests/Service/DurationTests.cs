using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Tests.Service;

/// <summary>How durations are written in logs and exceptions.</summary>
public sealed class DurationTests
{
    [Theory]
    [InlineData(0, "0 s")]
    [InlineData(0.25, "250 ms")]
    [InlineData(0.0005, "0.5 ms")]
    [InlineData(2, "2 s")]
    [InlineData(90, "90 s")]
    [InlineData(150, "2.5 min")]
    [InlineData(7200, "2 h")]
    [InlineData(-1.5, "-1.5 s")]
    public void A_duration_reads_as_people_write_it(double seconds, string text) => Duration.Text(TimeSpan.FromSeconds(seconds)).Should().Be(text);
}
