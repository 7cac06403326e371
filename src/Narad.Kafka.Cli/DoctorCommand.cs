using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace Narad.Kafka.Cli;

/// <summary><c>narad doctor</c>: shows each step of <see cref="KafkaDoctor"/> as it is made; the exit code tells.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var topic = new Option<string?>("--topic")
        {
            Description =
                "A topic of its own to send 16 bytes to and to read them from: a handler that reads it fails. The user needs the rights Write and Read.",
            HelpName = "TOPIC",
        };
        var envFile = new Option<string?>("--env-file")
        {
            Description = "A file of variables, read literally: nothing is expanded. Default: .env, where there is one.", HelpName = "FILE",
        };
        var config = new Option<string?>("--config")
        {
            Description = "The application's configuration; the file of the environment beside it is read too. Default: appsettings.json, where there is one.",
            HelpName = "FILE",
        };
        var section = new Option<string>("--section")
        {
            Description = "The section of the configuration.", HelpName = "SECTION", DefaultValueFactory = _ => ApplicationSettings.DefaultSection,
        };
        var timeout = new Option<double?>("--timeout")
        {
            Description = "How long a step may take, in seconds. Default: the setting ConnectTimeout, 10 s.",
            HelpName = "SECONDS",
            CustomParser = static result =>
            {
                if (double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0.1 and <= 600)
                {
                    return seconds;
                }

                result.AddError($"--timeout takes 0.1 to 600 seconds, not '{result.Tokens[0].Value}'.");
                return null;
            },
        };
        var trust = new Option<bool>("--trust-folder")
        {
            Description =
                "Let the files here load libraries into this process and set any variable, as the application does. Only in folders whose content you trust.",
        };
        var json = new Option<bool>("--json") { Description = "Write one JSON document instead of lines." };
        var command = new Command(
            "doctor", "Finds out why Kafka does not connect: settings, names, connections, TLS, login, cluster, and a message there and back.")
        {
            topic, envFile, config, section, timeout, trust, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var settings = ApplicationSettings.Read(parsed.GetValue(envFile), parsed.GetValue(config), parsed.GetValue(section)!, parsed.GetValue(trust));
            var options = settings.Options;
            if (settings.LeftOut.Count > 0)
            {
                await parsed.InvocationConfiguration.Error.WriteLineAsync(
                    $"Not set, since only --trust-folder lets a file set more than Kafka's settings and keys: {string.Join(", ", settings.LeftOut)}.")
                        .ConfigureAwait(false);
            }

            if (parsed.GetValue(timeout) is { } seconds)
            {
                options.ConnectTimeout = TimeSpan.FromSeconds(seconds);
            }

            var output = parsed.InvocationConfiguration.Output;
            var report = await ExamineAsync(options, parsed.GetValue(topic), parsed.GetValue(json) ? null : new Lines(output), cancellationToken)
                .ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                await output.WriteLineAsync(Json(report)).ConfigureAwait(false);
            }
            else
            {
                await output.WriteLineAsync(report.Summary).ConfigureAwait(false);
            }

            return report.IsSuccessful ? ExitCodes.Success : ExitCodes.Failure;
        });
        return command;
    }

    private static async Task<DoctorReport> ExamineAsync(KafkaOptions options, string? topic, Lines? lines, CancellationToken cancellationToken)
    {
        try
        {
            return await new KafkaDoctor(options).ExamineAsync(topic, lines, cancellationToken).ConfigureAwait(false);
        }
        catch (ArgumentException error)
        {
            throw new UsageException($"--topic: {error.Message}");
        }
    }

    private static string Json(DoctorReport report)
    {
        using var stream = new MemoryStream();
        using (var writer =
            new Utf8JsonWriter(
                stream, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("successful", report.IsSuccessful);
            writer.WriteString("summary", report.Summary);
            writer.WriteNumber("elapsedMs", Math.Round(report.Elapsed.TotalMilliseconds));
            writer.WriteStartArray("steps");
            foreach (var step in report.Steps)
            {
                writer.WriteStartObject();
                writer.WriteString("name", step.Name);
                writer.WriteString("outcome", step.Outcome.ToString().ToLower(CultureInfo.InvariantCulture));
                writer.WriteNumber("elapsedMs", Math.Round(step.Elapsed.TotalMilliseconds));
                writer.WriteString("details", step.Details);
                writer.WriteString("recommendation", step.Recommendation);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }

    private sealed class Lines(TextWriter output) : IProgress<DoctorStep>
    {
        public void Report(DoctorStep value) => DoctorReport.WriteTo(output, value);
    }
}
