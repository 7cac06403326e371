namespace Narad.Kafka.Diagnostics;

/// <summary>
/// What an exception of the application says: its getters are the application's code, which may throw or answer null. Never throws, never answers null.
/// Thread-safe.
/// </summary>
internal static class ExceptionText
{
    /// <summary><see cref="Exception.Message"/>, or why there is none.</summary>
    public static string Message(Exception error) => Read(error, nameof(Exception.Message), static e => e.Message);

    /// <summary><see cref="Exception.StackTrace"/>, which is empty where the exception was not thrown, or why there is none.</summary>
    public static string StackTrace(Exception error) => Read(error, nameof(Exception.StackTrace), static e => e.StackTrace ?? "");

    /// <summary>Whether a logger that writes the exception as text meets what it throws.</summary>
    public static bool CannotBeWritten(Exception error)
    {
        for (var inner = error; inner is not null; inner = inner.InnerException)
        {
            if (Throws(inner, static e => e.Message) || Throws(inner, static e => e.StackTrace) || Throws(inner, static e => e.ToString()))
            {
                return true;
            }
        }

        return false;
    }

    private static string Read(Exception error, string property, Func<Exception, string?> read)
    {
        try
        {
            return read(error) ?? $"({property} of {error.GetType()} is null)";
        }
        catch (Exception thrown)
        {
            return $"({property} of {error.GetType()} threw {thrown.GetType()})";
        }
    }

    private static bool Throws(Exception error, Func<Exception, string?> read)
    {
        try
        {
            _ = read(error);
            return false;
        }
        catch (Exception)
        {
            return true;
        }
    }
}
