using System.Globalization;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka;

/// <summary>What <see cref="KafkaDoctor"/> found, step by step. No secret is in it.</summary>
public sealed class DoctorReport
{
    /// <summary>The verdict where all is well.</summary>
    public const string Success = "Kafka connection successful";

    internal DoctorReport(IReadOnlyList<DoctorStep> steps, string? failure)
    {
        Steps = steps;
        Summary = failure is null ? Success : $"Kafka connection failed: {ForeignText.Message(failure.ReplaceLineEndings(" "))}";
        IsSuccessful = failure is null;
    }

    /// <summary>The steps that were made, in their order; where one failed it is the last.</summary>
    public IReadOnlyList<DoctorStep> Steps { get; }

    /// <summary>Whether no step failed. False in Console mode too, where nothing is connected.</summary>
    public bool IsSuccessful { get; }

    /// <summary><see cref="Success"/>, or <c>Kafka connection failed: …</c> with the likely cause and what to change.</summary>
    public string Summary { get; }

    /// <summary>How long all of it took.</summary>
    public TimeSpan Elapsed => Steps.Aggregate(TimeSpan.Zero, static (sum, step) => sum + step.Elapsed);

    /// <summary>Writes the steps with their times, what to change, and the verdict as the last line.</summary>
    public void WriteTo(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        foreach (var step in Steps)
        {
            WriteTo(writer, step);
        }

        writer.WriteLine(Summary);
    }

    /// <summary>Writes one step, for those who show each as it is made.</summary>
    public static void WriteTo(TextWriter writer, DoctorStep step)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(step);
        var mark = step.Outcome switch
        {
            DoctorOutcome.Passed => "ok",
            DoctorOutcome.Warning => "warning",
            DoctorOutcome.Skipped => "skipped",
            _ => "FAILED",
        };
        var lines = Array.ConvertAll(step.Details.Split('\n', StringSplitOptions.TrimEntries), static line => ForeignText.Message(line));
        var time = step.Outcome is DoctorOutcome.Skipped ? "" : Duration.Text(TimeSpan.FromMilliseconds(Math.Round(step.Elapsed.TotalMilliseconds)));
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{mark,-8} {step.Name,-12} {time,8}  {lines[0]}"));
        foreach (var line in lines.Skip(1).Concat(step.Recommendation is null ? [] : [$"-> {ForeignText.Message(step.Recommendation)}"]))
        {
            writer.WriteLine($"{"",-32}{line}");
        }
    }

    /// <summary>What <see cref="WriteTo(TextWriter)"/> writes.</summary>
    public override string ToString()
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        WriteTo(writer);
        return writer.ToString();
    }
}
