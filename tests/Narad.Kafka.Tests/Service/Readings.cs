using System.Diagnostics.Metrics;

namespace Narad.Kafka.Tests.Service;

/// <summary>Reads the service's instruments, as a metrics exporter does.</summary>
internal static class Readings
{
    /// <summary>The value of an instrument of the client with this id.</summary>
    public static long Of(string instrument, string clientId)
    {
        var value = long.MinValue;
        using var listener = new MeterListener
        {
            InstrumentPublished = (published, listening) =>
            {
                if (published.Meter.Name == "Narad.Kafka" && published.Name == instrument)
                {
                    listening.EnableMeasurementEvents(published);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, measured, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag.Key == "client" && Equals(tag.Value, clientId))
                {
                    value = measured;
                }
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return value;
    }
}
