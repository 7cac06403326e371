using System.Globalization;
using Narad.Kafka;
using QuickStart.Verification.Recording;

namespace QuickStart.Verification.Screen;

/// <summary>A line of text at each interval, for files, pipes and build logs.</summary>
internal sealed class PlainScreen(TextWriter output, TextWriter error, TimeSpan interval) : IScreen
{
    public async Task<Summary> ShowAsync(Func<Snapshot> records, Func<Task<Summary>> work)
    {
        var running = work();
        while (await Task.WhenAny(running, Task.Delay(interval)) != running)
        {
            var now = records();
            if (now.Sent > 0)
            {
                output.WriteLine(now.Mode == KafkaMode.Console
                    ? string.Create(CultureInfo.InvariantCulture, $"{now.Acknowledged:N0} logged only")
                    : string.Create(CultureInfo.InvariantCulture,
                        $"{now.Sent:N0} sent, {now.Acknowledged:N0} acknowledged, {now.Handled:N0} handled, {now.PerSecond ?? 0:N0} a second"));
            }
        }

        return await running;
    }

    public void Say(string news) => output.WriteLine(news);

    public void Report(string problem) => error.WriteLine(problem);
}
