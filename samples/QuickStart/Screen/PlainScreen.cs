using System.Globalization;
using QuickStart.Books;

namespace QuickStart.Screen;

/// <summary>A line of text each second, for files, pipes and build logs.</summary>
internal sealed class PlainScreen(TextWriter output, TextWriter error) : IScreen
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public async Task<Summary> ShowAsync(Func<Snapshot> books, Func<Task<Summary>> work)
    {
        var running = work();
        while (await Task.WhenAny(running, Task.Delay(Interval)) != running)
        {
            var now = books();
            output.WriteLine(now.Sent == 0
                ? "nothing sent yet"
                : string.Create(CultureInfo.InvariantCulture, $"{now.Sent:N0} sent, {now.Acknowledged:N0} acknowledged, {now.Handled:N0} handled, {now.PerSecond ?? 0:N0} a second"));
        }

        return await running;
    }

    public void Report(string problem) => error.WriteLine(problem);
}
